"""Notebooks that read and write files beside themselves, run by nbconvert, and the commands that show and carry over
what they wrote."""

import json
import os
import subprocess
import sys

import nbformat
import pytest

pytestmark = [pytest.mark.cellblock_only, pytest.mark.timeout(300)]

WRITES = """
import csv, os
with open('data.csv') as source, open('out.csv', 'w') as target:
    target.write(source.read().upper())
os.makedirs('results', exist_ok=True)
with open('results/table.txt', 'w') as file:
    file.write('one\\ntwo\\n')
with open('data.csv', 'a') as file:
    file.write('c,d\\n')
"""
READS = "print(open('out.csv').read(), open('results/table.txt').read(), open('data.csv').read())"


@pytest.fixture
def project(tmp_path, installation):
    """A directory with a notebook, a state directory of its own, and a kernelspec for each way to treat it."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "data.csv").write_text("a,b\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment |= {"XDG_STATE_HOME": str(tmp_path / "state"), "JUPYTER_PATH": str(tmp_path / "prefix/share/jupyter")}

    class Project:
        path = directory

        def execute(self, mode, *sources, allow_errors=False):
            installation.install(tmp_path / "prefix", f"kernel-{mode}", f"--notebook-dir={mode}")
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
            notebook.metadata["kernelspec"] = {"name": f"kernel-{mode}", "display_name": "x", "language": "python"}
            nbformat.write(notebook, directory / "n.ipynb")
            done = subprocess.run([sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute",
                                   *(["--allow-errors"] if allow_errors else []), "--output", tmp_path / "done.ipynb",
                                   directory / "n.ipynb"], cwd=directory, env=environment, capture_output=True,
                                  text=True, timeout=200)
            assert done.returncode == 0, done.stderr
            (directory / "n.ipynb").unlink()
            return ["".join(output.get("text", "") for output in cell.outputs)
                    for cell in nbformat.read(tmp_path / "done.ipynb", as_version=4).cells]

        def command(self, *arguments):
            return subprocess.run([str(installation.binary), *arguments], cwd=directory, env=environment,
                                  capture_output=True, text=True, timeout=60)

        def files(self):
            return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*")
                    if path.is_file()}

    return Project()


def test_what_is_kept_apart_is_shown_and_carried_over(project):
    wrote, read = project.execute("cow", WRITES, READS)
    assert "A,B" in read and "one\ntwo" in read and "c,d" in read
    assert "cellblock diff" in wrote and "cellblock" not in read, "it is said once"
    assert project.files() == {"data.csv": "a,b\n"}

    shown = json.loads(project.command("diff", "--json").stdout)
    assert [(change["path"], change["kind"], change["obstacle"]) for change in shown[0]["changes"]] == [
        ("data.csv", "modified", None), ("out.csv", "added", None), ("results", "added", None),
        ("results/table.txt", "added", None)]
    assert not shown[0]["running"]
    patch = project.command("diff", "--patch", "data.csv").stdout
    assert patch == "--- a/data.csv\n+++ b/data.csv\n@@ -1 +1,2 @@\n a,b\n+c,d\n"

    would = project.command("apply", "--dry-run")
    assert would.returncode == 0 and project.files() == {"data.csv": "a,b\n"}
    (project.path / "data.csv").write_text("x,y\n")
    partly = project.command("apply")
    assert partly.returncode == 1 and "conflict" in partly.stdout
    assert project.files() == {"data.csv": "x,y\n", "out.csv": "A,B\n", "results/table.txt": "one\ntwo\n"}
    assert project.command("apply", "--over-conflicts", "data.csv").returncode == 0
    assert project.files()["data.csv"] == "a,b\nc,d\n"
    assert "No cell has changed anything" in project.command("diff", "--list").stderr, "something is left"


def test_changes_can_be_discarded(project):
    project.execute("cow", WRITES)
    discarded = project.command("discard")
    assert discarded.returncode == 0 and "Discarded" in discarded.stdout, discarded.stderr
    assert json.loads(project.command("diff", "--json").stdout) == []
    assert project.files() == {"data.csv": "a,b\n"}


def test_what_a_cell_writes_is_there_when_it_ends(project):
    wrote, read = project.execute("rw", WRITES, READS)
    assert "A,B" in read and "cellblock" not in wrote + read
    assert project.files() == {"data.csv": "a,b\nc,d\n", "out.csv": "A,B\n", "results/table.txt": "one\ntwo\n"}
    again = project.execute("rw", "import os; os.remove('out.csv'); open('results/table.txt', 'a').write('three\\n')")
    assert "cellblock" not in again[0]
    assert project.files() == {"data.csv": "a,b\nc,d\n", "results/table.txt": "one\ntwo\nthree\n"}
    assert json.loads(project.command("diff", "--json").stdout) == []


def test_who_cannot_write_is_told_how_to(project):
    told, = project.execute("ro", "open('out.csv', 'w')", allow_errors=True)
    assert "--notebook-dir cow" in told
    silent, = project.execute("ro", "1/0", allow_errors=True)
    assert "--notebook-dir" not in silent
