"""The files that the tidy suite looks at: what is committed, plus what is new and not ignored."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = ("build/", ".venv/", "tests/fuzz/corpus/")


def repository_files():
    """Paths relative to the root. Without git (a source archive) every file counts that is not built."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                                check=True, capture_output=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
    return sorted(Path(name) for name in listed
                  if name and not name.startswith(LEFT_OUT) and ".git/" not in name and "__pycache__" not in name
                  and (ROOT / name).is_file())


FILES = repository_files()
CPP = [path for path in FILES if path.suffix in (".cpp", ".hpp")]
PYTHON = [path for path in FILES if path.suffix == ".py"]


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def root():
    return ROOT
