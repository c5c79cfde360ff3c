"""Words, sizes and first lines of files."""

import re

import pytest
from conftest import CPP, FILES, PYTHON, ROOT, text_of

MAX_LINES = 420  # about 400
CODE = CPP + PYTHON + [path for path in FILES if path.suffix in (".sh", ".cmake") or path.name == "CMakeLists.txt"
                       or path.name in ("demo", "test", "bench", "run")]
# Tables of cases and recorded references are as long as there are cases.
MAY_BE_LONG = re.compile(r"(_test\.cpp|/test_\w+\.py|/tests/.*)$")

# What a reader elsewhere cannot follow: paths of one machine, hosts of registries and their mirrors.
_WORK, _REGISTRIES = "/wo" + "rk/", ("registry.npm" + "js.org", "pyp" + "i.org", "files.pythonho" + "sted.org", "deb.debian" + ".org",
                                     "proxy.golan" + "g.org")
FORBIDDEN = (_WORK, *_REGISTRIES)


def readable(path):
    try:
        return text_of(path)
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_forbidden_words(path):
    text = readable(path)
    if text is None:
        return
    found = [word for word in FORBIDDEN if word in text]
    assert not found, f"{path} names {found}"


@pytest.mark.parametrize("path", CODE, ids=str)
def test_a_file_says_first_what_it_is_for(path):
    lines = text_of(path).splitlines()
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    if path.name == "__init__.py" and not lines:
        return
    first = next((line.strip() for line in lines if line.strip()), "")
    assert first.startswith(("//", "#", '"""')) and len(first) > 10, f"{path} begins with {first!r}"


@pytest.mark.parametrize("path", [p for p in CODE if not MAY_BE_LONG.search(str(p))], ids=str)
def test_a_file_has_one_subject(path):
    """Longer files have more than one, as a rule."""
    lines = len(text_of(path).splitlines())
    assert lines <= MAX_LINES, f"{path} has {lines} lines; split it by subject (or say here why not)"


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix in (".cpp", ".hpp", ".py", ".md", ".sh", ".cmake", ".txt", ".json")], ids=str)
def test_text_is_clean(path):
    text = text_of(path)
    assert "\r" not in text and "\t" not in text, path
    assert not [n for n, line in enumerate(text.splitlines(), 1) if line != line.rstrip()], f"trailing blanks in {path}"
    assert not text or text.endswith("\n"), f"{path} does not end with a newline"


@pytest.mark.parametrize("path", [p for p in CPP if p.suffix == ".hpp"], ids=str)
def test_headers_are_included_once(path):
    assert "#pragma once" in text_of(path)


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".md"], ids=str)
def test_links_of_documents_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", text_of(path), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:|#", target):
            continue
        name = target.split("#")[0]
        if not ((ROOT / path).parent / name).exists():
            broken.append(target)
    assert not broken, f"{path}: {broken}"


def test_commands_can_be_executed():
    import os
    for name in ("demo", "test", "bench", ".ci/run", "tests/fuzz/run"):
        assert os.access(ROOT / name, os.X_OK), name
