"""`cellblock audit match`: notebooks as front ends save them, compared with the log of the kernel that ran them."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from support.outputs import outputs_sha256

pytestmark = [pytest.mark.cellblock_only, pytest.mark.timeout(400)]

SOURCES = [
    "print('one'); print('two', flush=True)\nimport sys; print('three', file=sys.stderr)",
    "6 * 7",
    "1 / 0",
    "from IPython.display import display, clear_output\nshown = display({'b': 1.0, 'a': [1e3, None]}, display_id=True)",
    "shown.update('changed later')",
    "print('gone'); clear_output(); print('stays')",
    "display({'application/json': {'b': 1.0, 'a': ['x', 2**60]}, 'text/plain': 'a\\nb'}, raw=True)",
    "for i in range(3): print(f'\\r{i}', end='')",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    "import os; os.write(1, b'from a descriptor\\n');",
    "import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0);",  # a note of Cellblock's own
    "bytearray(1 << 40)",
    "silent = 1",
    "  ",
]


class Matched:
    def __init__(self, done):
        self.status = done.returncode
        assert done.stdout, done.stderr
        self.report = json.loads(done.stdout)
        self.cells = self.report["cells"]

    def states(self):
        return [cell["state"] for cell in self.cells]


@pytest.fixture(scope="module")
def executed(installation, tmp_path_factory):
    """A notebook that nbconvert has executed, and its log."""
    directory = tmp_path_factory.mktemp("match")
    (directory / "project").mkdir()
    log = directory / "log"
    installation.install(directory / "prefix", "audited", f"--audit={log}")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in SOURCES])
    notebook.metadata["kernelspec"] = {"name": "audited", "display_name": "x", "language": "python"}
    path = directory / "project" / "n.ipynb"
    nbformat.write(notebook, path)
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    done = subprocess.run([sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace",
                           "--allow-errors", path], cwd=path.parent, capture_output=True, text=True, timeout=200,
                          env=environment | {"JUPYTER_PATH": str(directory / "prefix/share/jupyter")})
    assert done.returncode == 0, done.stderr
    return path, log


@pytest.fixture
def match(executed, installation, tmp_path):
    """Changes the notebook, and says what the log says of it."""
    def call(change=lambda notebook: None):
        notebook = json.loads(executed[0].read_text())
        change(notebook)
        changed = tmp_path / "changed.ipynb"
        changed.write_text(json.dumps(notebook))
        return Matched(installation.run("audit", "match", changed, "--path", executed[1], "--json"))
    return call


def test_what_nbconvert_saved_matches(match):
    matched = match()
    assert matched.states() == ["match"] * (len(SOURCES) - 1) + ["empty"], matched.cells
    assert matched.status == 0 and matched.report["ok"]
    assert [cell["record"]["verdict"] for cell in matched.cells[:3]] == ["ok", "ok", "error"]


def test_what_a_reply_says_can_be_kept_in_the_notebook(executed, installation, tmp_path, monkeypatch):
    """As docs/audit-log.md says: in the cell's metadata, by who runs the notebook; nbconvert leaves it there."""
    monkeypatch.setenv("JUPYTER_PATH", str(executed[1].parent / "prefix" / "share" / "jupyter"))
    kept = []

    def keep(cell, cell_index, execute_reply):
        cell.metadata["cellblock"] = execute_reply["metadata"]["cellblock"]
        kept.append(execute_reply["metadata"]["cellblock"])

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in SOURCES[:2]])
    NotebookClient(notebook, kernel_name="audited", on_cell_executed=keep,
                   resources={"metadata": {"path": str(executed[0].parent)}}).execute()
    nbformat.write(notebook, tmp_path / "n.ipynb")
    done = subprocess.run([sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--output", "converted",
                           tmp_path / "n.ipynb"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    converted = nbformat.read(tmp_path / "converted.ipynb", 4)
    assert [cell.metadata["cellblock"] for cell in converted.cells] == kept and len(kept) == 2
    assert {"verdict", "policy", "wall_us", "cpu_us", "record"} <= set(kept[0])
    matched = Matched(installation.run("audit", "match", tmp_path / "converted.ipynb", "--path", executed[1], "--json"))
    assert matched.status == 0 and [cell["record"]["hash"] for cell in matched.cells] == [told["record"] for told in kept]


def test_the_documented_hash_is_the_one_in_the_record(match, executed):
    records = {record["seq"]: record for segment in sorted(executed[1].glob("audit-*.jsonl"))
               for record in map(json.loads, segment.read_text().splitlines())}
    notebook = json.loads(executed[0].read_text())
    for cell, matched in zip(notebook["cells"], match().cells):
        if matched["record"] is not None:
            assert outputs_sha256(cell["outputs"]) == records[int(matched["record"]["seq"])]["outputs_sha256"]


def edit_a_stream(notebook):
    notebook["cells"][0]["outputs"][0]["text"][0] = "another one\n"


def edit_a_result(notebook):
    notebook["cells"][1]["outputs"][0]["data"]["text/plain"] = ["43"]


def edit_an_error(notebook):
    notebook["cells"][2]["outputs"][0]["traceback"].pop()


def edit_a_figure(notebook):
    figure = next(output for output in notebook["cells"][8]["outputs"] if "image/png" in output.get("data", {}))
    figure["data"]["image/png"] = "AAAA" + figure["data"]["image/png"][4:]


def edit_json(notebook):
    notebook["cells"][6]["outputs"][0]["data"]["application/json"]["b"] = 2


def add_an_output(notebook):
    notebook["cells"][12]["outputs"].append({"output_type": "stream", "name": "stdout", "text": "said"})


def take_an_output_away(notebook):
    notebook["cells"][9]["outputs"].clear()


def edit_a_source(notebook):
    notebook["cells"][1]["source"] = "6 * 8"


@pytest.mark.parametrize("change, number", [(edit_a_stream, 1), (edit_a_result, 2), (edit_an_error, 3),
                                            (edit_a_figure, 9), (edit_json, 7), (add_an_output, 13),
                                            (take_an_output_away, 10), (edit_a_source, 2)])
def test_an_edit_is_found(match, change, number):
    matched = match(change)
    assert matched.status == 1 and not matched.report["ok"]
    assert [cell["cell"] for cell in matched.cells if cell["state"] == "edited"] == [number]
    assert set(matched.states()) == {"match", "edited", "empty"}


def test_a_cell_that_never_ran_is_found(match):
    def add(notebook):
        notebook["cells"].append({"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "print('forged')",
                                  "outputs": [{"output_type": "stream", "name": "stdout", "text": "forged\n"}]})
    matched = match(add)
    assert matched.status == 1 and matched.states()[-1] == "unrecorded" and matched.cells[-1]["record"] is None


def test_saved_as_json_of_javascript_it_is_the_same(match):
    """Numbers without a fraction lose it, texts are not broken into lines, members have another order."""
    def rewrite(notebook):
        shown = notebook["cells"][6]["outputs"][0]["data"]
        shown["application/json"] = {"a": ["x", 1152921504606846976], "b": 1}
        shown["text/plain"] = "".join(shown["text/plain"])
        notebook["cells"][7]["outputs"][0]["text"] = "2"
    assert match(rewrite).status == 0


def test_the_table_is_for_people(executed, installation):
    done = installation.run("audit", "match", executed[0], "--path", executed[1])
    assert done.returncode == 0 and "RECORD" in done.stdout and "14 of 14 code cells" in done.stdout


def test_an_altered_log_proves_nothing(executed, installation, tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    lines = (executed[1] / "audit-00000001.jsonl").read_text().splitlines(keepends=True)
    del lines[3]
    (log / "audit-00000001.jsonl").write_text("".join(lines))
    done = installation.run("audit", "match", executed[0], "--path", log)
    assert done.returncode == 3 and "deleted" in done.stderr and not done.stdout


def test_what_is_no_notebook_is_a_sentence(executed, installation, tmp_path):
    for text in ("", "[1", "{}", '{"nbformat": 4, "cells": [1]}', "[" * 100_000):
        (tmp_path / "n.ipynb").write_text(text)
        done = installation.run("audit", "match", tmp_path / "n.ipynb", "--path", executed[1])
        assert done.returncode == 1 and "n.ipynb" in done.stderr
