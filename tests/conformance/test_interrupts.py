"""Interrupts, in the way that the kernelspec asks for and as a control message."""

import time

import pytest

from support.messages import collect_until_idle, reply_to, request, send

SLOW = {
    "sleep": "import time\nprint('started', flush=True)\ntime.sleep(60)",
    "loop": "print('started', flush=True)\nwhile True: pass",
    "nested-sleep": "import time\nprint('started', flush=True)\ntry:\n    time.sleep(60)\nfinally:\n    print('cleaned')",
    "child-process": "import subprocess\nprint('started', flush=True)\nsubprocess.run(['sleep', '60'])",
    "lock": "import threading\nprint('started', flush=True)\nlock = threading.Lock(); lock.acquire()\nlock.acquire(timeout=60)",
    "await": "import asyncio\nprint('started', flush=True)\nawait asyncio.sleep(60)",
}


def start(kernel, code):
    """Runs a cell up to its word that it has begun."""
    msg_id = kernel.client.execute(code, allow_stdin=False)
    while True:
        message = kernel.client.get_iopub_msg(timeout=20)
        if (message["parent_header"].get("msg_id") == msg_id and message["header"]["msg_type"] == "stream"
                and "started" in message["content"]["text"]):
            # The print is out before the call that shall be interrupted has begun.
            time.sleep(0.2)
            return msg_id


# ipykernel cannot interrupt a top-level await: its handler wakes no sleeping loop.
KINDS = [pytest.param(kind, marks=[pytest.mark.cellblock_only] if kind == "await" else []) for kind in SLOW]


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_ends_the_cell_and_keeps_the_variables(kernel, kind):
    kernel.run("kept = 'value'")
    msg_id = start(kernel, SLOW[kind])
    began = time.monotonic()
    kernel.interrupt()
    messages = collect_until_idle(kernel.client, msg_id, timeout=10)
    reply = reply_to(kernel.client, msg_id)
    assert reply["content"]["status"] == "error"
    assert reply["content"]["ename"] in ("KeyboardInterrupt", "CancelledError")
    assert time.monotonic() - began < 3
    if kind == "nested-sleep":
        assert "cleaned" in "".join(m["content"].get("text", "") for m in messages)
    assert kernel.run("kept").result == "'value'"


def test_the_control_message_interrupts_too(kernel):
    msg_id = start(kernel, SLOW["sleep"])
    reply = request(kernel.client, "interrupt_request", channel="control")
    assert reply.status == "ok" and reply.reply["header"]["msg_type"] == "interrupt_reply"
    assert reply_to(kernel.client, msg_id, timeout=10)["content"]["ename"] == "KeyboardInterrupt"


def test_an_interrupt_of_an_idle_kernel_does_nothing(kernel):
    kernel.run("kept = 2")
    kernel.interrupt()
    time.sleep(0.2)
    assert kernel.run("kept").result == "2"


def test_two_interrupts_at_once_do_no_harm(kernel):
    msg_id = start(kernel, SLOW["sleep"])
    kernel.interrupt()
    kernel.interrupt()
    assert reply_to(kernel.client, msg_id, timeout=10)["content"]["status"] == "error"
    assert kernel.run("1 + 1").result == "2"


def test_an_interrupt_aborts_what_is_queued(kernel):
    first = start(kernel, SLOW["sleep"])
    second = kernel.client.execute("'must not run'", allow_stdin=False)
    time.sleep(0.1)
    kernel.interrupt()
    assert reply_to(kernel.client, first, timeout=10)["content"]["ename"] == "KeyboardInterrupt"
    assert reply_to(kernel.client, second, timeout=10)["content"]["status"] == "aborted"
    assert kernel.run("1").status == "ok"


def test_control_requests_are_answered_while_a_cell_runs(kernel):
    msg_id = start(kernel, SLOW["sleep"])
    began = time.monotonic()
    send_id = send(kernel.client, "kernel_info_request", channel="control")
    reply_to(kernel.client, send_id, "control", timeout=5)
    assert time.monotonic() - began < 2
    kernel.interrupt()
    reply_to(kernel.client, msg_id, timeout=10)


# Native code that looks for no signals, as a long computation of a C library.
DEAF = "import ctypes\nprint('started', flush=True)\nctypes.PyDLL(None).sleep(60)"


# With ipykernel nothing happens, and nothing is said.
@pytest.mark.cellblock_only
def test_an_interrupt_without_effect_says_so_and_two_more_stop_the_process(kernel):
    kernel.run("kept = 1")
    msg_id = start(kernel, "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\n" + DEAF)
    began = time.monotonic()
    kernel.interrupt()
    while True:
        message = kernel.client.get_iopub_msg(timeout=10)
        if message["header"]["msg_type"] == "stream" and "the interrupt was delivered" in message["content"]["text"]:
            break
    assert message["parent_header"]["msg_id"] == msg_id and message["content"]["name"] == "stderr"
    assert time.monotonic() - began < 3
    kernel.interrupt()
    kernel.interrupt()
    reply = reply_to(kernel.client, msg_id, timeout=10)["content"]
    assert reply["ename"] == "InterruptedByUser"
    assert kernel.run("'kept' in globals()").result == "False"


@pytest.mark.cellblock_only
def test_interrupts_take_effect_at_once(kernel):
    kernel.run("import time")
    delays = []
    for code in ("time.sleep(30)", "while True: pass", "import asyncio; await asyncio.sleep(30)"):
        msg_id = start(kernel, "print('started', flush=True)\n" + code)
        began = time.monotonic()
        kernel.interrupt()
        reply_to(kernel.client, msg_id, timeout=10)
        delays.append(time.monotonic() - began)
    # 100 ms are promised; the machine that tests is busy with other tests.
    assert min(delays) < 0.1 and max(delays) < 0.5, delays
