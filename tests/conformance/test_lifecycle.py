"""The kernel's life: shutdown, restart, death of its parent, signals. Each ends without a trace on the host."""

import os
import signal
import subprocess
import sys
import time

import pytest
from jupyter_client import KernelManager

from support.messages import collect_until_idle, reply_to, run, send

pytestmark = pytest.mark.cellblock_only


@pytest.mark.parametrize("channel", ["control", "shell"])
def test_shutdown_is_answered_on_its_channel_and_leaves_nothing(start_kernel, channel):
    kernel = start_kernel()
    kernel.run("import tempfile\nopen(tempfile.mktemp(), 'w').write('x')")
    msg_id = send(kernel.client, "shutdown_request", {"restart": False}, channel)
    reply = reply_to(kernel.client, msg_id, channel)
    assert reply["content"] == {"status": "ok", "restart": False}
    assert kernel.wait() == 0
    assert kernel.leftovers() == []


def test_shutdown_says_whether_it_is_a_restart(start_kernel):
    assert start_kernel().shutdown(restart=True) == {"status": "ok", "restart": True}


def test_shutdown_ends_a_running_cell(start_kernel):
    kernel = start_kernel()
    kernel.client.execute("while True: pass", allow_stdin=False)
    time.sleep(0.3)
    began = time.monotonic()
    kernel.shutdown()
    assert time.monotonic() - began < 10
    assert kernel.leftovers() == []


def test_shutdown_runs_exit_handlers(start_kernel, tmp_path):
    """They are the last words of a session; their output is all that the host sees of them."""
    kernel = start_kernel()
    kernel.run("import atexit, os\natexit.register(lambda: os.write(1, b'last words\\n'))\nNone")
    send(kernel.client, "shutdown_request", {"restart": False}, "control")
    seen = ""
    deadline = time.monotonic() + 10
    while "last words" not in seen and time.monotonic() < deadline:
        message = kernel.client.get_iopub_msg(timeout=10)
        seen += message["content"].get("text", "")
    assert "last words" in seen
    kernel.wait()


def test_background_processes_end_with_the_kernel(start_kernel):
    kernel = start_kernel()
    kernel.run("import subprocess\nfor _ in range(3):\n"
               "    subprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP INT; setsid sleep 600 & sleep 600'],"
               " start_new_session=True)")
    time.sleep(0.3)
    kernel.family.look()
    kernel.shutdown()
    assert kernel.leftovers() == []


@pytest.mark.parametrize("busy", [False, True])
def test_sigterm_cleans_up(start_kernel, busy):
    kernel = start_kernel()
    if busy:
        kernel.client.execute("while True: pass", allow_stdin=False)
        time.sleep(0.3)
    kernel.family.look()
    kernel.process.send_signal(signal.SIGTERM)
    kernel.wait()
    assert kernel.leftovers() == []


def test_sigkill_of_the_kernel_ends_everything_inside(start_kernel):
    """Nobody is left to clean up but the Linux kernel; only an empty cgroup may wait for the next start."""
    kernel = start_kernel()
    kernel.client.execute("import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
                          "while True: pass", allow_stdin=False)
    time.sleep(0.5)
    kernel.family.look()
    kernel.process.kill()
    kernel.wait()
    assert [line for line in kernel.leftovers() if not line.startswith("cgroup")] == []
    # The next kernel sweeps what the killed one could not remove.
    second = start_kernel()
    second.run("1")
    assert [path for path in kernel.family.cgroups if path.exists()] == []


def test_the_kernel_ends_with_its_parent(start_kernel):
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        kernel = start_kernel(env={"JPY_PARENT_PID": str(parent.pid)})
        kernel.run("1")
        parent.kill()
        parent.wait()
        kernel.wait(10)
        assert kernel.leftovers() == []
    finally:
        parent.kill()
        parent.wait()


def test_a_parent_that_is_gone_already_ends_the_kernel(start_kernel):
    parent = subprocess.Popen(["true"])
    parent.wait()
    kernel = start_kernel(env={"JPY_PARENT_PID": str(parent.pid)}, client=False)
    kernel.wait(15)
    assert kernel.leftovers() == []


def test_exit_in_a_cell_ends_the_kernel_after_the_reply(start_kernel):
    kernel = start_kernel()
    cell = run(kernel.client, "exit")
    assert cell.content["payload"][0]["source"] == "ask_exit"
    # jupyter_console reads the reply only while the process lives, and asks for it every 0.05 s.
    replied = time.monotonic()
    kernel.wait()
    assert time.monotonic() - replied > 0.2
    assert kernel.leftovers() == []


def test_a_manager_restarts_it_as_any_kernel(kernel_name, spec):
    manager = KernelManager(kernel_name=kernel_name)
    manager.start_kernel(env=dict(os.environ))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        run(client, "x = 1")
        manager.restart_kernel(now=False)
        client.wait_for_ready(timeout=60)
        cell = run(client, "x")
        assert cell.ename == "NameError" and cell.content["execution_count"] == 1
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=60)
        assert run(client, "1 + 1").result == "2"
        msg_id = client.execute("import time; time.sleep(60)", allow_stdin=False)
        time.sleep(0.5)
        manager.interrupt_kernel()
        collect_until_idle(client, msg_id, timeout=10)
        assert reply_to(client, msg_id)["content"]["ename"] == "KeyboardInterrupt"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
    assert not manager.is_alive()


def test_nothing_of_the_host_environment_leaks(start_kernel):
    kernel = start_kernel(env={"MY_SECRET_TOKEN": "tell-nobody"})
    cell = kernel.run("import os\nprint(sorted(os.environ.items()))")
    for secret in ("tell-nobody", f"'{os.getpid()}'", str(kernel.home), "JPY_PARENT_PID"):
        assert secret not in cell.stdout


def test_python_finds_the_environments_packages_only(start_kernel, public_directory):
    """Neither PYTHONPATH nor packages of the user: the kernelspec names the environment, and a home is not shown."""
    kernel = start_kernel(env={"PYTHONPATH": str(public_directory), "PYTHONSTARTUP": str(public_directory / "startup.py")})
    cell = kernel.run(f"import os, site, sys\n{str(public_directory)!r} in sys.path, site.ENABLE_USER_SITE, "
                      "[name for name in os.environ if name.startswith('PYTHON')]")
    assert cell.result == "(False, False, [])"


def test_an_idle_kernel_uses_no_cpu(start_kernel):
    kernel = start_kernel()
    kernel.run("1")
    time.sleep(1)

    def used():
        times = [p.cpu_times() for p in kernel.family.members()]
        return sum(t.user + t.system for t in times)

    before = used()
    time.sleep(2)
    assert used() - before <= 0.02
