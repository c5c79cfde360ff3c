"""The dependency rule over includes: who may know whom, and which heavy headers stay at the edge.

CMake's targets enforce the same at link time; this finds headers that need no linking.
"""

import re

import pytest
from conftest import CPP, ROOT, text_of

# docs/architecture.md, "Modules and who may know whom". Every module may use itself.
MAY_USE = {
    "base": set(),
    "protocol": {"base"},
    "jail": {"base"},
    "network": {"base"},
    "observe": {"base"},
    "changes": {"base"},
    "session": {"base", "protocol", "jail", "network", "observe", "changes"},
    "profile": {"base", "jail", "observe", "session"},
    "run": {"base", "jail", "network", "observe", "session"},
    # Of the jail only its words: levels and verdicts.
    "kernel": {"base", "protocol", "network", "observe", "session", "jail"},
    "cli": {"base", "protocol", "jail", "network", "observe", "changes", "session", "profile", "run", "kernel"},
}
WORDS_OF_THE_JAIL = {"jail/jail.hpp", "jail/verdict.hpp"}

# Header → where it may be included (path prefixes below src/). .hpp files are named where they may have it too.
HEAVY = {
    r"<xeus/": ("kernel/",),
    r"<zmq(_addon)?\.h": ("kernel/",),
    r"<seccomp\.h>": ("jail/filters/", "jail/seccomp_test.cpp"),
    r"<nlohmann/json\.hpp>": ("*.cpp",),
    r"<CLI/": ("cli/",),
    r"<nettle/": ("protocol/", "observe/", "run/"),
    r"<spdlog/": ("observe/diagnostics.cpp",),
    r"<toml\+\+/": ("profile/toml.cpp",),
}

SOURCES = [path for path in CPP if path.parts[0] == "src"]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.MULTILINE)


def includes(path):
    return INCLUDE.findall(text_of(path))


def test_there_is_something_to_check():
    assert len(SOURCES) > 50


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_file_includes_only_what_its_module_may_know(path):
    module = path.parts[1]
    assert module in MAY_USE, f"src/{module} is in no row of MAY_USE: say in docs/architecture.md whom it may know"
    wrong = []
    for name in includes(path):
        if not name.startswith('"') or "/" not in name:
            continue
        other = name.strip('"').split("/")[0]
        if other in MAY_USE and other != module and other not in MAY_USE[module]:
            wrong.append(name)
        if module == "kernel" and other == "jail" and name.strip('"') not in WORDS_OF_THE_JAIL:
            wrong.append(name)
    assert not wrong, f"{path} may not include {', '.join(wrong)}"


@pytest.mark.parametrize("path", [p for p in SOURCES if not p.stem.endswith("_test")], ids=str)
def test_heavy_headers_stay_at_the_edge(path):
    inside = "/".join(path.parts[1:])
    for name in includes(path):
        for pattern, places in HEAVY.items():
            if re.match(pattern, name):
                allowed = any(inside.startswith(place) for place in places if place != "*.cpp")
                allowed = allowed or ("*.cpp" in places and path.suffix == ".cpp")
                assert allowed, f"{path} includes {name}, which belongs to {', '.join(places)}"


def test_the_rule_is_the_one_that_cmake_links():
    lines = re.findall(r"^cellblock_module\((\w+)\s+LINK([^)]*?)(?:PRIVATE[^)]*)?\)",
                       (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    linked = {name: set(modules.split()) for name, modules in lines}
    expected = {name: set(modules) for name, modules in MAY_USE.items()}
    expected["kernel"].discard("jail")  # comes along with session
    assert linked == expected


def test_the_worker_needs_ipython_only():
    """Everything else is imported when a cell asks for it, or is not there at all."""
    allowed = {"IPython", "traitlets", "cellblock_worker", "comm", "jedi", "matplotlib_inline", "pexpect", "ptyprocess"}
    import ast
    import sys
    wrong = []
    for path in (ROOT / "src/worker/cellblock_worker").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in tree.body:  # module level: what every start pays for
            names = ([alias.name for alias in node.names] if isinstance(node, ast.Import) else
                     [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else [])
            wrong += [f"{path.name}: {name}" for name in names
                      if name.split(".")[0] not in allowed | set(sys.stdlib_module_names)]
    assert not wrong
