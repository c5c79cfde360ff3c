"""clang-format and clang-tidy, over every C++ file. Results of clang-tidy are kept by content, so that only what
changed is looked at again."""

import hashlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import CPP, ROOT

KEPT = ROOT / "build" / "tidy-cache"
BUILD = ROOT / "build" / "dev"
ONE_FILE_SECONDS = 180
# Tests are left to the compiler's warnings: GoogleTest's macros cost more seconds than all of the rest.
SOURCES = [path for path in CPP
           if path.suffix == ".cpp" and path.parts[0] == "src" and not path.stem.endswith("_test")]


@pytest.mark.parametrize("path", CPP, ids=str)
def test_clang_format(path):
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"run: clang-format -i {path}\n{done.stderr[:800]}"


@pytest.fixture(scope="session")
def findings():
    """path → what clang-tidy says about it, '' when nothing."""
    database = BUILD / "compile_commands.json"
    assert database.exists(), "configure first: cmake --preset dev"
    compiled = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), ROOT)
                for entry in json.loads(database.read_text())}
    headers = hashlib.sha256()
    for path in sorted(p for p in CPP if p.suffix == ".hpp"):
        headers.update((ROOT / path).read_bytes())
    headers.update((ROOT / ".clang-tidy").read_bytes())
    KEPT.mkdir(parents=True, exist_ok=True)

    def look(path):
        if str(path) not in compiled:
            return f"{path} is not compiled by the dev preset"
        digest = headers.copy()
        digest.update(str(path).encode() + (ROOT / path).read_bytes())
        kept = KEPT / digest.hexdigest()
        if kept.exists():
            return ""
        try:
            done = subprocess.run(["clang-tidy", "--quiet", "-p", str(BUILD), str(path)], cwd=ROOT, capture_output=True,
                                  text=True, timeout=ONE_FILE_SECONDS)
        except subprocess.TimeoutExpired:
            return f"clang-tidy was not done with {path} after {ONE_FILE_SECONDS} s"
        if done.returncode == 0:
            kept.touch()
            return ""
        return done.stdout + (done.stderr if not done.stdout else "")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(SOURCES, pool.map(look, SOURCES)))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_clang_tidy(findings, path):
    assert findings[path] == "", findings[path]
