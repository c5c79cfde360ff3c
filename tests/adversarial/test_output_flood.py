"""Attack: drown the kernel process, the front end or the disk in output.
Barrier: bounded queues and back-pressure: the cell waits, the kernel's memory stays flat, an interrupt still works.
"""

import time

import psutil
import pytest

from support.messages import collect_until_idle, reply_to

FLOODS = {
    "print": "line = 'x' * 100_000\nwhile True:\n    print(line)",
    "descriptor": "import os\nline = b'x' * 65536\nwhile True:\n    os.write(2, line)",
    "displays": "while True:\n    display('x' * 100_000)",
    "threads": ("import os, threading\ndef flood():\n    while True:\n        os.write(1, b'y' * 4096)\n"
                "[threading.Thread(target=flood, daemon=True).start() for _ in range(8)]\n"
                "import time\nwhile True:\n    time.sleep(0.1)"),
}
KERNEL_MEMORY = 256 << 20


@pytest.mark.parametrize("kind", FLOODS)
def test_the_kernel_stays_small_and_can_be_interrupted(jailed, kind):
    kernel = jailed("--memory=512MiB", "--processes=64")
    process = psutil.Process(kernel.process.pid)
    msg_id = kernel.client.execute(FLOODS[kind], allow_stdin=False)
    largest = 0
    deadline = time.monotonic() + 4
    # A front end that does not read for a while, which is the worst case for whoever has to keep the messages.
    while time.monotonic() < deadline:
        time.sleep(0.1)
        largest = max(largest, process.memory_info().rss)
    assert largest < KERNEL_MEMORY, f"{largest >> 20} MiB"
    kernel.interrupt()
    collect_until_idle(kernel.client, msg_id, timeout=60)
    assert reply_to(kernel.client, msg_id)["content"]["status"] == "error"
    if kind == "threads":
        kernel.run("import os; os._exit(0)")


def test_a_flood_does_not_hold_up_the_control_channel(jailed):
    kernel = jailed("--memory=512MiB", "--processes=64")
    msg_id = kernel.client.execute(FLOODS["print"], allow_stdin=False)
    time.sleep(2)
    began = time.monotonic()
    info = kernel.client.session.msg("kernel_info_request", {})
    kernel.client.control_channel.send(info)
    reply_to(kernel.client, info["header"]["msg_id"], "control", timeout=5)
    assert time.monotonic() - began < 3
    kernel.interrupt()
    collect_until_idle(kernel.client, msg_id, timeout=60)
