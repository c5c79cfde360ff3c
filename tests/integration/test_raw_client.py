"""A client that needs no Jupyter server, as VS Code: it starts the kernel from its kernelspec and joins its sockets itself."""

import json
import os
import subprocess

import pytest

from support.node import CONVERSATIONS

pytestmark = pytest.mark.timeout(400)
# VS Code sends an interrupt_request on the control channel; on the shell channel until November 2025; and SIGINT to
# kernels whose kernelspec does not ask for messages.
INTERRUPTS = ("control", pytest.param("shell", marks=pytest.mark.cellblock_only), "signal")


def hold(node, spec, conversation, interrupt="control"):
    kernel = json.dumps({"name": spec.name, "argv": spec.argv, "env": spec.env})
    done = subprocess.run(["node", node / "raw.mjs", conversation], capture_output=True, text=True, timeout=180, env={
        **os.environ, "KERNEL_SPEC": kernel, "INTERRUPT": interrupt})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_over_plain_sockets(node, spec, conversation):
    hold(node, spec, conversation)


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_each_way_to_interrupt(node, spec, interrupt):
    hold(node, spec, "an_interrupt_stops_the_cell_only", interrupt)
