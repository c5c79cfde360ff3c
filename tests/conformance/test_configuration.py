"""What a kernelspec may say about IPython: ipykernel's arguments, and a profile shown to the cells."""

import os
import subprocess

import pytest

START_UP = "from_startup = 6\nprint('said at start')\n"


@pytest.fixture
def profile(public_directory):
    """A user's profile; beside it something that is not part of it."""
    directory = public_directory / "ipython" / "profile_mine"
    (directory / "startup").mkdir(parents=True)
    (directory / "ipython_config.py").write_text("c = get_config()\nc.InteractiveShell.ast_node_interactivity = 'all'\n")
    (directory / "startup" / "00-first.py").write_text(START_UP)
    (directory / "history.sqlite").write_text("private")
    (public_directory / "ipython" / "beside.txt").write_text("not shown")
    return directory


def with_arguments(spec, *arguments):
    return spec.__class__(spec.name, (*spec.argv, *arguments), spec.env, spec.interrupt_mode, spec.directory)


def results(cell):
    return [c["data"]["text/plain"] for c in cell.of_type("execute_result")]


def test_traits_on_the_command_line_hold(spec, start_kernel):
    kernel = start_kernel(with_arguments(spec, "--HistoryManager.hist_file=:memory:", "--ext", "autoreload",
                                         "--InteractiveShell.ast_node_interactivity=all"))
    assert results(kernel.run("1\n2\n'autoreload' in str(get_ipython().extension_manager.loaded)")) == ["1", "2", "True"]
    assert kernel.run("get_ipython().history_manager.hist_file").result == "':memory:'"


def test_code_and_matplotlib_are_set_up_before_the_first_cell(spec, start_kernel):
    kernel = start_kernel(with_arguments(spec, "--IPKernelApp.exec_lines=ready = 7", "--matplotlib=inline", "--debug"))
    assert kernel.run("ready").result == "7"
    assert "inline" in kernel.run("import matplotlib\nmatplotlib.get_backend()").result


def test_errors_before_the_first_cell_leave_a_working_kernel(spec, start_kernel):
    kernel = start_kernel(with_arguments(spec, "--IPKernelApp.exec_lines=1 / 0", "--ext=no_such_extension"))
    assert kernel.run("1 + 1").result == "2"


@pytest.mark.cellblock_only
@pytest.mark.parametrize("option", ["--ipython-profile", "--profile-dir"])
def test_a_profile_is_shown_read_only_and_obeyed(spec, start_kernel, profile, option):
    kernel = start_kernel(with_arguments(spec, f"{option}={profile}"))
    assert results(kernel.run("from_startup\n2")) == ["6", "2"]
    assert "Read-only file system" in kernel.run("open('/home/cell/.ipython-profile/startup/10-mine.py', 'w')").error
    # The name is the profile's alone: what lies beside it stays outside.
    assert kernel.run(f"import os\nos.path.exists({str(profile.parent / 'beside.txt')!r})").result == "False"
    assert kernel.run("%store from_startup").error is None
    assert (profile / "startup" / "00-first.py").read_text() == START_UP
    assert sorted(path.name for path in profile.iterdir()) == ["history.sqlite", "ipython_config.py", "startup"]


@pytest.mark.cellblock_only
def test_what_is_private_in_a_profile_is_not_shown(spec, start_kernel, profile):
    for directory in ("security", "db", "log", "pid"):
        (profile / directory).mkdir(mode=0o755)
    (profile / "history-corrupt.sqlite").write_text("what was typed on the host")
    (profile / "elsewhere").symlink_to("/root")
    kernel = start_kernel(with_arguments(spec, f"--ipython-profile={profile}"))
    seen = kernel.run("import os\nprint(sorted(os.listdir('/home/cell/.ipython-profile')))").stdout
    assert seen == "['ipython_config.py', 'startup']\n"


@pytest.mark.cellblock_only
def test_a_home_directory_is_no_profile(spec, public_directory):
    (public_directory / "startup").mkdir()
    argv = [part if part != "{connection_file}" else "/nonexistent" for part in spec.argv]
    done = subprocess.run([*argv, f"--ipython-profile={public_directory}"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **spec.env, "HOME": str(public_directory)})
    assert done.returncode != 0 and "the jail would have to show all of" in done.stderr


@pytest.mark.cellblock_only
def test_without_the_option_no_profile_is_seen(spec, start_kernel, profile):
    kernel = start_kernel(env={"IPYTHONDIR": str(profile.parent), "HOME": str(profile.parent.parent)})
    assert kernel.run("'from_startup' in globals()").result == "False"
    assert kernel.run("import os\nos.environ.get('IPYTHONDIR')").result is None


@pytest.mark.cellblock_only
def test_a_worker_after_a_crash_has_the_profile_too(spec, start_kernel, profile):
    kernel = start_kernel(with_arguments(spec, f"--ipython-profile={profile}"))
    assert kernel.run("import os\nos._exit(3)").status == "error"
    assert "6" in results(kernel.run("from_startup"))


@pytest.mark.cellblock_only
def test_install_records_the_profile(installation, profile, tmp_path):
    spec = installation.install(tmp_path, "with-profile", f"--ipython-profile={profile}")
    assert f"--ipython-profile={profile}" in spec.argv


@pytest.mark.cellblock_only
@pytest.mark.parametrize(("argument", "sentence"), [
    ("--speed=11", "there is no option --speed"),
    ("stray", "there is no option stray"),
    ("--ip=0.0.0.0", "--ip cannot be given to this kernel: the connection file says"),
    ("--ipython-dir=/root/.ipython", "--ipython-profile shows a profile"),
    ("--ipython-profile=/usr", "no profile of IPython"),
    ("--InteractiveShell.xmode", "needs a value"),
])
def test_other_arguments_are_refused_with_a_sentence(installation, spec, argument, sentence):
    argv = [part if part != "{connection_file}" else "/nonexistent" for part in spec.argv]
    done = subprocess.run([*argv, argument], capture_output=True, text=True, timeout=60, env={**os.environ, **spec.env})
    assert done.returncode != 0 and sentence in done.stderr


@pytest.mark.cellblock_only
def test_signing_cannot_be_switched_off(spec, start_kernel):
    kernel = start_kernel(with_arguments(spec, "--no-secure", "--Session.key=b''"))
    assert kernel.run("1").result == "1"
    assert "--no-secure has no effect: messages are signed" in kernel.stderr()


@pytest.mark.cellblock_only
def test_a_value_that_ipython_refuses_is_said(spec, start_kernel):
    kernel = start_kernel(with_arguments(spec, "--InteractiveShell.cache_size=many"), client=False)
    assert kernel.process.wait(timeout=30) != 0
    assert "IPython refuses an option of the kernelspec or of the profile" in kernel.stderr()
    assert "cache_size" in kernel.stderr()
