"""usage_request: what resource panels show."""

import time

import pytest

from support.messages import collect_until_idle, reply_to, request

BURN = "import time\nprint('started', flush=True)\nend = time.monotonic() + 3\nwhile time.monotonic() < end: pass"


def usage(kernel):
    reply = request(kernel.client, "usage_request", channel="control")
    assert reply.reply["header"]["msg_type"] == "usage_reply"
    return reply.content


def test_it_has_the_keys_that_panels_read(kernel):
    content = usage(kernel)
    assert isinstance(content["hostname"], str) and content["hostname"]
    assert content["kernel_cpu"] >= 0 and content["kernel_memory"] > 1024 * 1024 and content["cpu_count"] >= 1
    memory = content["host_virtual_memory"]
    for key in ("total", "available", "percent", "used", "free", "active", "inactive", "buffers", "cached", "shared", "slab"):
        assert memory[key] >= 0
    assert memory["used"] <= memory["total"] and 0 <= memory["percent"] <= 100


def test_the_process_is_the_one_that_cells_see(kernel):
    assert usage(kernel)["pid"] == int(kernel.run("import os\nos.getpid()").result)
    assert usage(kernel)["hostname"] == kernel.run("import socket\nsocket.gethostname()").result.strip("'")


def test_it_is_answered_while_a_cell_computes_and_shows_that(kernel):
    msg_id = kernel.client.execute(BURN, allow_stdin=False)
    time.sleep(0.5)
    usage(kernel)
    time.sleep(1)
    began = time.monotonic()
    content = usage(kernel)
    assert time.monotonic() - began < 1
    # Half a core at least, on a machine that others use too.
    assert content["kernel_cpu"] > 20
    collect_until_idle(kernel.client, msg_id)
    assert reply_to(kernel.client, msg_id)["content"]["status"] == "ok"


def test_memory_grows_with_what_a_cell_holds(kernel):
    before = usage(kernel)["kernel_memory"]
    kernel.run("held = bytearray(b'x') * (200 << 20)")
    assert usage(kernel)["kernel_memory"] - before > 150 << 20
    kernel.run("del held")


@pytest.mark.cellblock_only
def test_the_total_is_the_limit_of_the_jail(start_kernel, installation, tmp_path):
    kernel = start_kernel(installation.install(tmp_path, "small", "--memory=300MiB", "--cpus=1.5"))
    content = usage(kernel)
    assert content["host_virtual_memory"]["total"] == 300 << 20
    assert content["cpu_count"] == 2
