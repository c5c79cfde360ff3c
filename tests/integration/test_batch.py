"""Notebooks and scripts that are run without anybody watching: nbconvert, papermill, `jupyter execute`, `jupyter run`.

What scripts around them rely on: the outputs are in the file, an error is an exit status, a time limit is kept."""

import os
import subprocess
import sys

import nbformat
import papermill
import pytest

from support.installation import ROOT

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def jupyter(tmp_path):
    """Calls `jupyter …` in the directory of the test, as people do in a terminal."""
    def call(*arguments, **options):
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        return subprocess.run([sys.executable, "-m", "jupyter", *map(str, arguments)], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, timeout=300, **options)
    return call


@pytest.fixture
def write(tmp_path, kernel_name):
    def notebook(*sources, name="n.ipynb"):
        """The tag of the first cell is papermill's, and nothing to the others."""
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        cells[0].metadata["tags"] = ["parameters"]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {
            "name": kernel_name, "display_name": "x", "language": "python"}}), tmp_path / name)
        return tmp_path / name
    return notebook


def shown(path):
    return [nbformat.from_dict(cell.outputs) for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "code"]


@pytest.mark.cellblock_only
def test_nbconvert_makes_the_page_of_the_tour(jupyter, tmp_path):
    done = jupyter("nbconvert", "--to", "html", "--execute", "--allow-errors", "--output-dir", tmp_path,
                   ROOT / "notebooks" / "tour.ipynb")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "tour.html").read_text()
    assert "MemoryLimitExceeded" in page and "data:image/png;base64" in page


def test_nbconvert_writes_the_outputs_of_a_notebook(jupyter, write):
    path = write("print('printed')", "6 * 7", "import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    done = jupyter("nbconvert", "--to", "notebook", "--execute", "--inplace", path)
    assert done.returncode == 0, done.stderr
    printed, value, figure = shown(path)
    assert printed[0].text == "printed\n" and value[0].data["text/plain"] == "42"
    assert "image/png" in figure[0].data


def test_an_error_fails_nbconvert_and_names_itself(jupyter, write, tmp_path):
    path = write("1/0", "print('after it')")
    refused = jupyter("nbconvert", "--to", "html", "--execute", path)
    assert refused.returncode != 0 and "ZeroDivisionError" in refused.stderr
    assert not (tmp_path / "n.html").exists()
    allowed = jupyter("nbconvert", "--to", "html", "--execute", "--allow-errors", path)
    assert allowed.returncode == 0, allowed.stderr
    page = (tmp_path / "n.html").read_text()
    assert "ZeroDivisionError" in page and "after it" in page


def test_a_cell_that_takes_too_long_fails_nbconvert(jupyter, write):
    path = write("import time", "time.sleep(3600)")
    done = jupyter("nbconvert", "--to", "html", "--execute", "--ExecutePreprocessor.timeout=20", path)
    assert done.returncode != 0 and "CellTimeoutError" in done.stderr


def test_a_time_limit_that_interrupts_lets_the_rest_run(jupyter, write):
    path = write("import time", "time.sleep(3600)", "'the rest'")
    done = jupyter("nbconvert", "--to", "notebook", "--execute", "--inplace", "--ExecutePreprocessor.timeout=20",
                   "--ExecutePreprocessor.interrupt_on_timeout=True", "--allow-errors", path)
    assert done.returncode == 0, done.stderr
    _, slept, rest = shown(path)
    assert slept[0].ename == "KeyboardInterrupt"
    assert rest[0].data["text/plain"] == "'the rest'"


def test_papermill_passes_parameters_of_every_type(write, tmp_path):
    path = write("factor, name, options = 1, '', {}", "factor * 6", "name, options")
    done = papermill.execute_notebook(str(path), str(tmp_path / "out.ipynb"), progress_bar=False, parameters={
        "factor": 7, "name": "Åse's \"café\"", "options": {"deep": [1, None, True, 2.5]}})
    # After the cell with the tag comes one that papermill adds.
    assert done.cells[2].outputs[0]["data"]["text/plain"] == "42"
    assert done.cells[3].outputs[0]["data"]["text/plain"] == \
        "('Åse\\'s \"café\"', {'deep': [1, None, True, 2.5]})"
    assert nbformat.read(tmp_path / "out.ipynb", as_version=4).metadata.papermill.exception is None


def test_papermill_of_the_command_line_stops_at_an_error_and_keeps_what_was_done(write, tmp_path):
    path = write("n = 0", "print('first', n)", "1/n", "print('never')")
    done = subprocess.run([sys.executable, "-m", "papermill", path, tmp_path / "out.ipynb", "-p", "n", "0",
                           "--log-output", "--no-progress-bar"], capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and "ZeroDivisionError" in done.stderr
    outputs = shown(tmp_path / "out.ipynb")
    assert "first 0\n" in str([output.get("text") for cell in outputs for output in cell]).replace("\\n", "\n")
    assert "never" not in str(outputs)


def test_papermill_leaves_the_reader_no_question(write, tmp_path):
    """Nobody can answer, so input() is an error at once."""
    path = write("input('who? ')")
    with pytest.raises(papermill.PapermillExecutionError, match="StdinNotImplementedError"):
        papermill.execute_notebook(str(path), str(tmp_path / "out.ipynb"), progress_bar=False)


def test_jupyter_execute_writes_the_outputs(jupyter, write):
    path = write("print('executed')")
    done = jupyter("execute", "--inplace", path)
    assert done.returncode == 0, done.stderr
    assert shown(path)[0][0].text == "executed\n"


def test_jupyter_execute_fails_and_goes_on_when_allowed(jupyter, write):
    path = write("raise LookupError('on purpose')", "print('executed')")
    refused = jupyter("execute", "--inplace", path)
    assert refused.returncode != 0 and "on purpose" in refused.stderr
    done = jupyter("execute", "--inplace", "--allow-errors", path)
    assert done.returncode == 0, done.stderr
    error, printed = shown(path)
    assert error[0].ename == "LookupError" and printed[0].text == "executed\n"


def test_jupyter_run_shows_a_script_at_the_terminal(jupyter, kernel_name, tmp_path):
    (tmp_path / "script.py").write_text("import sys\nprint('to stdout')\nprint('to stderr', file=sys.stderr)\n")
    done = jupyter("run", f"--kernel={kernel_name}", "--RunApp.kernel_timeout=120", "script.py")
    assert done.returncode == 0, done.stderr
    assert "to stdout" in done.stdout and "to stderr" in done.stderr


def test_jupyter_run_reads_a_script_from_its_input(jupyter, kernel_name):
    done = jupyter("run", f"--kernel={kernel_name}", "--RunApp.kernel_timeout=120", input="print(6 * 7)")
    assert done.returncode == 0, done.stderr
    assert "42" in done.stdout
