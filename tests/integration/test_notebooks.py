"""Every notebook in notebooks/, executed as people do it, and its outputs compared with ipykernel's."""

import os
import re
import subprocess
import sys

import nbformat
import papermill
import pytest
from nbclient import NotebookClient

from support.installation import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What the tour shows differs on purpose: with ipykernel the same cells would read the home directory.
COMPARED = [path for path in NOTEBOOKS if path.stem != "tour"]

pytestmark = [pytest.mark.cellblock_only, pytest.mark.timeout(300)]


def named(path):
    return path.stem


def as_outside_pytest():
    """ipykernel captures no descriptors when it finds itself under test, which people never see."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def execute(path, kernel_name):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, kernel_name=kernel_name, timeout=120, allow_errors=False,
                   resources={"metadata": {"path": str(path.parent)}}).execute(env=as_outside_pytest())
    return notebook


def normalised(output):
    """One output without what differs between any two runs: addresses, temporary names, the folding of streams."""
    text = repr(nbformat.from_dict(output))
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"/tmp/[\w/.-]+", "/tmp/…", text)
    # matplotlib puts dates and random ids into its SVG.
    text = re.sub(r"<dc:date>[^<]*", "", text)
    return re.sub(r"\b[a-z]+[0-9a-f]{10,12}\b", "id", text)


def outputs(notebook):
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        merged = {}
        rest = []
        for output in cell.outputs:
            if output.output_type == "stream":
                # Whether stdout or stderr comes first is a matter of luck with two buffers.
                merged[output.name] = merged.get(output.name, "") + output.text
            else:
                rest.append(normalised(output))
        found.append((cell.source, cell.execution_count, merged, rest))
    return found


@pytest.mark.parametrize("path", COMPARED, ids=named)
def test_nbclient_gives_what_ipykernel_gives(path):
    ours, theirs = outputs(execute(path, "cellblock")), outputs(execute(path, "python3"))
    for mine, reference in zip(ours, theirs, strict=True):
        assert mine == reference


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_nbconvert_executes_it(path, tmp_path):
    done = subprocess.run([sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--execute", "--allow-errors",
                           "--output-dir", str(tmp_path), str(path)], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / f"{path.stem}.html").read_text()
    assert "jp-OutputArea-output" in html


def test_the_tour_is_answered_as_it_says():
    notebook = nbformat.read(ROOT / "notebooks" / "tour.ipynb", as_version=4)
    NotebookClient(notebook, kernel_name="cellblock", timeout=120, allow_errors=True,
                   resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count is not None for cell in cells] == [True] * len(cells)
    shown = ["\n".join(str(output) for output in cell.outputs) for cell in cells]
    pandas, figure, error, home, network, status, memory, after_memory, left, after_exit = shown
    assert "<table" in pandas and "image/png" in figure
    assert "KeyError" in error
    assert "not expected" not in home and "[]" in home and "FileNotFoundError" in home
    assert "not expected" not in network and "Network is unreachable" in network
    assert "capabilities 0000000000000000  no new privileges 1  system-call filter 2" in status
    assert "MemoryLimitExceeded" in memory and "2.0 GiB" in memory
    assert "still here: 42 - hoard is lost" in after_memory
    assert "WorkerExited" in left and "and again: 45" in after_exit


def test_papermill_passes_parameters(tmp_path):
    source = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("factor = 1", metadata={"tags": ["parameters"]}),
               nbformat.v4.new_code_cell("factor * 6")],
        metadata={"kernelspec": {"name": "cellblock", "display_name": "x", "language": "python"}})
    nbformat.write(source, tmp_path / "in.ipynb")
    done = papermill.execute_notebook(str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"),
                                      parameters={"factor": 7}, progress_bar=False)
    assert done.cells[-1].outputs[0]["data"]["text/plain"] == "42"


def test_jupyter_execute_writes_the_outputs(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("print('executed')")],
        metadata={"kernelspec": {"name": "cellblock", "display_name": "x", "language": "python"}})
    nbformat.write(notebook, tmp_path / "n.ipynb")
    done = subprocess.run([sys.executable, "-m", "jupyter", "execute", "--inplace", str(tmp_path / "n.ipynb")],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "executed" in str(nbformat.read(tmp_path / "n.ipynb", as_version=4).cells[0].outputs)
