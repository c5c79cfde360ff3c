"""The `cellblock` command as a person uses it: install, list, uninstall, doctor, and what it says when something is
wrong: one sentence, an exit status, nothing started, nothing left."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from support.installation import Installation, read_spec

pytestmark = pytest.mark.cellblock_only


def one_sentence(done, status):
    """What a failed command said. Tracebacks and empty answers are no sentences."""
    assert done.returncode == status, done
    lines = done.stderr.strip().splitlines()
    assert 1 <= len(lines) <= 2 and re.match(r"cellblock|\[E [-:. 0-9]+ cellblock\] ", lines[0]), done.stderr
    return done.stderr


def start_kernel(installation, connection_file, *arguments, python=None, wrapper=(), **options):
    return subprocess.run([*wrapper, installation.binary, "kernel", "-f", connection_file, "--python",
                           python or installation.python, *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, **options)


@pytest.fixture
def connection_file(tmp_path):
    from jupyter_client.connect import write_connection_file
    path, _ = write_connection_file(str(tmp_path / "connection.json"), key=b"secret")
    return path


def test_install_list_uninstall(installation, tmp_path):
    environment = {**os.environ, "JUPYTER_PATH": str(tmp_path / "share" / "jupyter")}
    spec = installation.install(tmp_path, "mine", "--memory=512MiB", display_name="My sandbox")
    assert spec.argv[0] == str(installation.binary.resolve()) and "--memory=512MiB" in spec.argv
    for logo in ("logo-32x32.png", "logo-64x64.png", "logo-svg.svg"):
        assert (spec.directory / logo).stat().st_size > 100
    listed = json.loads(installation.run("list", "--json", env=environment).stdout)
    assert "mine" in json.dumps(listed)
    assert "My sandbox" in installation.run("list", env=environment).stdout
    assert installation.run("uninstall", "mine", env=environment).returncode == 0
    with pytest.raises(LookupError):
        read_spec("mine", [tmp_path / "share" / "jupyter" / "kernels"])


def test_jupyter_lists_the_kernel_as_people_see_it():
    done = subprocess.run([sys.executable, "-m", "jupyter", "kernelspec", "list", "--json"], check=True,
                          capture_output=True, text=True)
    spec = json.loads(done.stdout)["kernelspecs"]["cellblock"]["spec"]
    assert spec["display_name"] == "Python (sandboxed)" and spec["language"] == "python"


def test_installing_twice_is_the_same_as_once(installation, tmp_path):
    first = installation.install(tmp_path, "twice")
    before = {path.name: path.read_bytes() for path in first.directory.iterdir()}
    second = installation.install(tmp_path, "twice")
    assert {path.name: path.read_bytes() for path in second.directory.iterdir()} == before


def test_kernels_of_others_are_not_removed(installation):
    sentence = one_sentence(installation.run("uninstall", "python3"), 1)
    assert "python3" in sentence
    read_spec("python3")


def test_a_python_without_ipython_is_refused(installation, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    done = installation.run("install", "--python", str(tmp_path / "bare/bin/python"), "--prefix", str(tmp_path / "p"))
    assert "IPython" in one_sentence(done, 1)
    assert not (tmp_path / "p").exists()


def test_a_python_that_is_none_is_refused(installation, tmp_path):
    for path in (tmp_path / "absent", tmp_path, "/bin/true"):
        done = installation.run("install", "--python", str(path), "--prefix", str(tmp_path / "p"))
        assert str(path) in one_sentence(done, 1)


def test_a_limit_that_makes_no_sense_is_refused_at_once(installation, tmp_path):
    for argument in ("--memory=lots", "--memory=1", "--wall-time=0s", "--processes=-1", "--memroy=1GiB"):
        done = installation.run("install", "--python", str(installation.python), "--prefix", str(tmp_path / "p"),
                                f"--kernel-arg={argument}")
        assert done.returncode != 0 and argument.split("=")[0] in done.stderr, done
        assert not (tmp_path / "p").exists()


def test_an_environment_that_vanished(installation, tmp_path, connection_file):
    done = start_kernel(installation, connection_file, python=tmp_path / "gone" / "bin" / "python")
    assert "gone" in one_sentence(done, 1)


def test_list_tells_what_does_not_work_any_more(installation, tmp_path):
    # Only this name of the environment vanishes; the environment itself is needed for the other tests.
    (tmp_path / "environment").symlink_to(sys.prefix)
    Installation(installation.binary, tmp_path / "environment" / "bin" / "python").install(tmp_path, "broken")
    assert " yes" in installation.run("list", "--prefix", str(tmp_path)).stdout
    (tmp_path / "environment").unlink()
    done = installation.run("list", "--prefix", str(tmp_path))
    assert " yes" not in done.stdout and str(tmp_path / "environment") in done.stdout, done


def test_a_worker_of_another_build_is_refused(installation, tmp_path, connection_file):
    build = installation.binary.parent.parent
    (tmp_path / "bin").mkdir()
    shutil.copy2(installation.binary, tmp_path / "bin" / "cellblock")
    for part in ("lib", "libexec"):
        shutil.copytree(build / part, tmp_path / part)
    (tmp_path / "lib" / "cellblock" / "cellblock_worker" / "DIGEST").write_text("0" * 64 + "\n")
    tmp_path.chmod(0o755)
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    done = start_kernel(Installation(tmp_path / "bin" / "cellblock", installation.python), connection_file, cwd="/usr")
    assert done.returncode == 1 and "build" in done.stderr, done


def test_a_host_without_user_namespaces(installation, connection_file):
    """Root of a user namespace may forbid further ones: what a host looks like that allows none."""
    wrapper = ("unshare", "--user", "--mount", "--map-root-user", "sh", "-c",
               'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh")
    done = start_kernel(installation, connection_file, wrapper=wrapper, cwd="/usr")
    assert "user namespaces" in one_sentence(done, 1)
    doctor = subprocess.run([*wrapper, installation.binary, "doctor", "--json"], capture_output=True, text=True, timeout=60)
    assert doctor.returncode == 1
    assert json.loads(doctor.stdout)["levels"] == {"full": False, "namespaced": False}


def test_doctor_says_that_this_host_can_do_it(installation):
    done = installation.run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "full" in done.stdout


def test_help_and_version(installation):
    assert installation.run("--version").stdout.startswith("cellblock ")
    for command in ("install", "list", "uninstall", "doctor", "delegate", "kernel"):
        assert command in installation.run("--help").stdout
        done = installation.run(command, "--help")
        assert done.returncode == 0 and "Usage" in done.stdout


def test_unknown_words_are_usage_errors(installation):
    for arguments in (["frobnicate"], ["doctor", "--frobnicate"], ["kernel"], []):
        done = installation.run(*arguments)
        assert done.returncode == 2, (arguments, done)


@pytest.mark.parametrize("mode", [0o755, 0o700], ids=oct)
def test_the_notebooks_directory_may_be_private(spec, installation, tmp_path, mode):
    """What mkdtemp makes can be entered by its owner only: of root's it is not shown, and the kernel works without."""
    import nbformat
    from nbclient import NotebookClient
    place = tmp_path / "private"
    place.mkdir()
    place.chmod(mode)
    (place / "data.csv").write_text("a,b")
    code = "import os; open('data.csv').read() if os.path.exists('data.csv') else os.getcwd()"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, kernel_name="cellblock", resources={"metadata": {"path": str(place)}}).execute()
    shown = mode == 0o755 or os.geteuid() != 0
    assert notebook.cells[0].outputs[0]["data"]["text/plain"] == ("'a,b'" if shown else "'/home/cell'")


def test_two_kernels_do_not_look_the_same_in_a_menu(installation, tmp_path):
    installation.install(tmp_path, "cellblock")
    installation.install(tmp_path, "big")
    assert [json.loads((tmp_path / "share/jupyter/kernels" / name / "kernel.json").read_text())["display_name"]
            for name in ("cellblock", "big")] == ["Python (sandboxed)", "Python (sandboxed, big)"]


def test_changes_of_a_name_that_nobody_has_changed_are_an_error(installation, tmp_path):
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    for arguments in (["nope"], ["nope", "--json"], ["--changes", "nope"], ["--changes", "nope", "--json"]):
        done = installation.run("diff", *arguments, cwd=tmp_path, env=environment)
        assert "nope" in one_sentence(done, 1) and done.stdout == "", done
    for command in ("diff", "apply", "discard"):
        assert f"Examples:\n  cellblock {command}" in installation.run(command, "--help").stdout


def test_doctor_tries_directories_that_cells_write_to_and_other_backends(installation):
    probes = {probe["name"]: probe for probe in installation.doctor()["probes"]}
    assert probes["directory that cells may write (cow, rw)"]["status"] == "ok"
    for level in ("full", "namespaced"):
        assert "made in" in probes[f"jail by bubblewrap ({level})"]["finding"]
    gvisor = probes["jail by gVisor (full)"]
    if any(os.path.exists(f"{directory}/runsc") for directory in ("/usr/bin", "/usr/local/bin")):
        assert "made in" in gvisor["finding"], gvisor
    else:
        assert "find gVisor" in gvisor["finding"] and "go install gvisor.dev" in gvisor["remedy"], gvisor
