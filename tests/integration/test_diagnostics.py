"""What kernels tell on stderr: the documented events, in the chosen form, and nothing that is nobody's business."""

import json
import re
import time

import pytest

from support.installation import ROOT

pytestmark = pytest.mark.cellblock_only

SECRET = "hunter2-correct-horse"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def telling(spec, *arguments):
    return spec.__class__(spec.name, (*spec.argv, *arguments), spec.env, spec.interrupt_mode, spec.directory)


def lines_of(kernel):
    return [json.loads(line) for line in kernel.stderr().splitlines()]


def documented():
    """Event names and severities of the table in docs/diagnostics.md."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+)", (ROOT / "docs" / "diagnostics.md").read_text().split("| event |")[1], re.MULTILINE)
    return dict(rows)


def test_a_life_told_in_json(spec, start_kernel):
    kernel = start_kernel(telling(spec, "--kernel-log-level=debug", "--kernel-log-format=json"), env={"MY_TOKEN": SECRET})
    assert kernel.run(f"password = '{SECRET}'; print(password)").status == "ok"
    assert kernel.run("import os; os._exit(3)").status == "error"
    kernel.run("import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)")
    message = kernel.client.session.msg("execute_request", {"code": "1"}, metadata={"traceparent": TRACE})
    kernel.client.shell_channel.send(message)
    kernel.client.get_shell_msg(timeout=20)
    kernel.client.complete("passw")
    kernel.client.get_shell_msg(timeout=20)
    kernel.shutdown()

    told = lines_of(kernel)
    table = documented()
    for line in told:
        assert line["kernel"] == "test" and line["event_name"] in table
        assert line["severity_text"] == table[line["event_name"]] or line["severity_text"] == "warning"
    of = {name: [line for line in told if line["event_name"] == name] for name in table}
    assert of["kernel_started"][0]["isolation"] == "full" and of["kernel_started"][0]["landlock"] is True
    assert [line["verdict"] for line in of["cell_ended"]] == ["ok", "worker.exited", "ok", "ok"]
    assert [line["severity_text"] for line in of["cell_ended"]] == ["info", "warning", "info", "info"]
    assert of["cell_ended"][3]["traceparent"] == TRACE and of["cell_ended"][3]["msg_id"] == message["header"]["msg_id"]
    assert "ptrace" in of["calls_refused"][0]["body"]
    assert of["request_ended"][0]["msg_type"] == "complete_request"
    assert of["kernel_ended"][0]["restart"] is False
    connection = json.loads(kernel.connection_file.read_text())
    for secret in (SECRET, connection["key"]):
        assert secret not in kernel.stderr()


def test_success_is_quiet(spec, start_kernel):
    kernel = start_kernel(spec)
    kernel.run("1 / 0")
    kernel.shutdown()
    assert kernel.stderr() == ""


def test_a_flood_is_counted_not_told(spec, start_kernel):
    kernel = start_kernel(telling(spec, "--kernel-log-format=json"))
    key, kernel.client.session.key = kernel.client.session.key, b"a wrong one"
    for _ in range(500):
        kernel.client.shell_channel.send(kernel.client.session.msg("kernel_info_request", {}))
    deadline = time.monotonic() + 10
    while not kernel.stderr() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    kernel.client.session.key = key
    kernel.shutdown()
    *dropped, left_out = lines_of(kernel)
    assert 1 <= len(dropped) <= 40 and {line["event_name"] for line in dropped} == {"message_dropped"}
    assert left_out["event_name"] == "lines_left_out" and len(dropped) + left_out["left_out"] == 500


def test_what_is_not_obeyed_is_told_with_the_rest(spec, start_kernel):
    kernel = start_kernel(telling(spec, "--kernel-log-format=json", "--no-secure"))
    kernel.shutdown()
    assert [line["event_name"] for line in lines_of(kernel)] == ["setting_ignored"]


@pytest.mark.parametrize("arguments", (("--kernel-log-level=loud",), ("--kernel-log-format=xml",)))
def test_words_that_there_are_not(installation, tmp_path, arguments):
    done = installation.run("kernel", "-f", str(tmp_path / "c.json"), "--python", "/usr/bin/python3", *arguments)
    assert done.returncode == 2 and "is expected" in done.stderr


def test_a_start_that_fails_is_told_in_the_chosen_form(installation, tmp_path):
    done = installation.run("kernel", "-f", str(tmp_path / "absent.json"), "--python", "/usr/bin/python3", "--kernel-log-format=json")
    line = json.loads(done.stderr)
    assert done.returncode == 1 and line["event_name"] == "kernel_failed" and "absent.json" in line["body"]
