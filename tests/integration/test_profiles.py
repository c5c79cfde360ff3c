"""Profiles in real kernels: what a project's file and a notebook tighten, what they cannot loosen, what a kernel says of
it, and that a kernel does not start with a profile that it does not understand."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.cellblock_only

CHILDREN_UNTIL_REFUSED = """
import os, signal
children = []
try:
    while len(children) < 99:
        children.append(os.fork())
        if children[-1] == 0:
            signal.pause()
except OSError:
    pass
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
len(children)
"""


def with_arguments(spec, *arguments):
    return spec.__class__(spec.name, (*spec.argv, *arguments), spec.env, spec.interrupt_mode, spec.directory)


def in_force(kernel):
    return kernel.request("kernel_info_request").content["cellblock"]


def banner(kernel):
    return kernel.request("kernel_info_request").content["banner"]


def memory_limit(kernel):
    """What the kernel itself counts against."""
    return kernel.request("usage_request", channel="control").content["host_virtual_memory"]["total"]


@pytest.fixture
def project(public_directory):
    directory = public_directory / "project"
    directory.mkdir()
    return directory


def test_a_project_tightens_the_memory_limit(spec, start_kernel, project):
    (project / "cellblock.toml").write_text('[limits]\nmemory = "300MiB"\n')
    kernel = start_kernel(spec, cwd=project)
    assert memory_limit(kernel) == 300 << 20
    cell = kernel.run("x = b'x' * (600 << 20)")
    assert cell.status == "error" and "300.0 MiB" in cell.error + cell.stderr, cell
    assert kernel.run("1 + 1").result == "2"
    assert in_force(kernel)["notes"] == []


def test_a_project_cannot_loosen_the_memory_limit(spec, start_kernel, project):
    (project / "cellblock.toml").write_text('[limits]\nmemory = "64GiB"\nprocesses = 100000\n\n[isolation]\nlevel = "namespaced"\n')
    kernel = start_kernel(with_arguments(spec, "--memory=300MiB"), cwd=project)
    assert memory_limit(kernel) == 300 << 20
    cell = kernel.run("x = b'x' * (600 << 20)")
    assert cell.status == "error" and "300.0 MiB" in cell.error + cell.stderr, cell
    info = in_force(kernel)
    assert info["isolation"] == "full" and len(info["notes"]) == 3
    assert f"{project}/cellblock.toml:2:10: limits.memory = 64GiB is not obeyed" in " ".join(info["notes"])
    # Where people look, too: the banner of consoles, and the log of servers.
    assert "limits.memory = 64GiB is not obeyed" in banner(kernel)
    assert "limits.memory = 64GiB is not obeyed" in kernel.stderr()


def test_who_set_the_limit_is_named_when_it_is_hit(spec, start_kernel, project):
    """Reinstalling the kernel with more would be in vain."""
    (project / "cellblock.toml").write_text('[limits]\nwall_time = "500ms"\n')
    cell = start_kernel(with_arguments(spec, "--wall-time=10m"), cwd=project).run("import time; time.sleep(60)")
    assert cell.ename == "WallTimeExceeded", cell
    assert f"To allow more, change limits.wall_time in {project}/cellblock.toml:2:13" in cell.error, cell
    assert "reinstall" not in cell.error


def test_a_notebook_tightens_and_cannot_loosen(spec, start_kernel, project):
    settings = {"limits": {"memory": "300MiB", "processes": 100000}}
    (project / "a.ipynb").write_text(json.dumps({"cells": [], "metadata": {"cellblock": settings}, "nbformat": 4,
                                                 "nbformat_minor": 5}))
    kernel = start_kernel(spec, cwd=project, env={"JPY_SESSION_NAME": str(project / "a.ipynb")})
    assert memory_limit(kernel) == 300 << 20
    assert ["processes = 100000" in note for note in in_force(kernel)["notes"]] == [True]


def test_a_profile_holds_and_says_its_name(spec, start_kernel, project):
    (project / "data.txt").write_text("beside the notebook")
    kernel = start_kernel(with_arguments(spec, "--profile=strict"), cwd=project)
    info = in_force(kernel)
    assert info["profile"] == "strict" and info["isolation"] == "full" and info["landlock"] is True
    assert len(info["profile_digest"]) == len("sha256:") + 64
    assert "profile strict" in banner(kernel)
    assert memory_limit(kernel) == 512 << 20
    assert kernel.run("import os\nos.path.exists('data.txt')").result == "False"


def test_a_users_file_holds_within_the_kernelspecs_arguments(spec, start_kernel, public_directory):
    configuration = public_directory / "config" / "cellblock"
    configuration.mkdir(parents=True)
    (configuration / "cellblock.toml").write_text(
        '[limits]\nmemory = "700MiB"\nprocesses = 99\n[environment]\npass = ["HANDED_ON"]\nset = ["MODE=test"]\n')
    kernel = start_kernel(with_arguments(spec, "--processes=77"),
                          env={"XDG_CONFIG_HOME": str(configuration.parent), "HANDED_ON": "yes", "KEPT_BACK": "yes"})
    assert memory_limit(kernel) == 700 << 20
    values = kernel.run("import os\n[os.environ.get(name) for name in ('HANDED_ON', 'MODE', 'KEPT_BACK')]").result
    assert values == "['yes', 'test', None]"
    # Beside them: pid 1, and the threads of the interpreter.
    assert 60 <= int(kernel.run(CHILDREN_UNTIL_REFUSED).result) < 77


@pytest.mark.parametrize(("text", "sentence"), [
    ("[limits]\nmemroy = '1GiB'\n", "cellblock.toml:2:1: there is no key limits.memroy. Did you mean limits.memory?"),
    ("[limits\n", "cellblock.toml:1:8"),
    ("profile = 'default'\n", "cannot choose a profile"),
])
def test_what_is_not_understood_does_not_start(spec, project, text, sentence):
    (project / "cellblock.toml").write_text(text)
    argv = [part if part != "{connection_file}" else "/nonexistent" for part in spec.argv]
    done = subprocess.run(argv, cwd=project, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          env={**os.environ, **spec.env})
    assert done.returncode != 0 and sentence in done.stderr, done


def test_a_pipe_in_the_way_does_not_hang_the_kernel(spec, project):
    os.mkfifo(project / "cellblock.toml")
    argv = [part if part != "{connection_file}" else "/nonexistent" for part in spec.argv]
    done = subprocess.run(argv, cwd=project, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL,
                          env={**os.environ, **spec.env})
    assert done.returncode != 0 and "no regular file" in done.stderr, done


# A host without Landlock: its system calls answer as on a kernel that was built without it.
WITHOUT_LANDLOCK = """
import ctypes, os, struct, sys
CREATE_RULESET, ENOSYS = 444, 38
program = b"".join(struct.pack("HBBI", *row) for row in [
    (0x20, 0, 0, 0),                            # load the number of the call
    (0x15, 0, 1, CREATE_RULESET),               # is it this one?
    (0x06, 0, 0, 0x00050000 | ENOSYS),          # refuse
    (0x06, 0, 0, 0x7FFF0000)])                  # allow
buffer = ctypes.create_string_buffer(program)
libc = ctypes.CDLL(None, use_errno=True)
filter = struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter, 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""


def without_landlock(argv):
    return (sys.executable, "-c", WITHOUT_LANDLOCK, *argv)


def test_without_landlock_nothing_starts(spec):
    argv = [part if part != "{connection_file}" else "/nonexistent" for part in spec.argv]
    done = subprocess.run(without_landlock([argv[0], "doctor", "--json"]), capture_output=True, text=True, timeout=60)
    assert done.returncode != 0, done.stderr
    report = json.loads(done.stdout)
    assert report["enforceable"] is False and report["landlock"] == "required"
    assert "missing" in [probe["status"] for probe in report["probes"] if probe["name"] == "Landlock"]


def test_without_landlock_only_by_name_and_shown_as_degraded(spec, start_kernel):
    argv = without_landlock([*spec.argv, "--landlock=optional"])
    kernel = start_kernel(spec.__class__(spec.name, argv, spec.env, spec.interrupt_mode, spec.directory))
    info = in_force(kernel)
    assert info["landlock"] is False and info["isolation"] == "full"
    assert "degraded: this host has no Landlock" in banner(kernel)
    assert kernel.run("1 + 1").result == "2"


def test_doctor_answers_for_a_profile(installation, tmp_path):
    (tmp_path / "weak.toml").write_text("isolation.landlock = 'optional'\n")
    assert installation.run("doctor", "--profile", "strict").returncode == 0
    report = json.loads(installation.run("doctor", "--profile", str(tmp_path / "weak.toml"), "--json").stdout)
    assert report["landlock"] == "optional" and report["enforceable"] is True
    assert installation.run("doctor", "--profile", "absent").returncode == 1
