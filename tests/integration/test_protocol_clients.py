"""A Jupyter server's kernels as its clients use them: JupyterLab's and VS Code's library in Node, and the plain REST and
websocket interface that everybody else uses."""

import json
import os
import subprocess
import uuid

import pytest
import websocket

from support.node import CONVERSATIONS

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(serve):
    return serve("jupyter_server")


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_the_client_library_of_vs_code(server, node, kernel_name, conversation):
    done = subprocess.run(["node", node / "client.mjs", conversation], capture_output=True, text=True, timeout=180, env={
        **os.environ, "SERVER_URL": f"http://127.0.0.1:{server.port}/", "SERVER_TOKEN": server.token,
        "KERNEL_NAME": kernel_name})
    assert done.returncode == 0, done.stdout + done.stderr


class Channels:
    """All channels of one kernel over one websocket, with JSON messages, as the oldest clients speak."""

    def __init__(self, server, kernel_id):
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}/api/kernels/{kernel_id}/channels", timeout=120,
            header=[f"Authorization: token {server.token}"])

    def request(self, message_type, content, channel="shell"):
        """Sends a request; the value is what came of it on every channel, up to its reply and idle."""
        identity = uuid.uuid4().hex
        self.socket.send(json.dumps({"channel": channel, "content": content, "metadata": {}, "parent_header": {},
                                     "header": {"msg_id": identity, "msg_type": message_type, "version": "5.4",
                                                "session": "plain", "username": "", "date": ""}}))
        seen = []
        missing = {"reply", "idle"}
        while missing:
            message = json.loads(self.socket.recv())
            if message["parent_header"].get("msg_id") != identity:
                continue
            seen.append((message["channel"], message["header"]["msg_type"], message["content"]))
            missing -= {"reply"} if message["channel"] == channel else set()
            missing -= {"idle"} if message["content"].get("execution_state") == "idle" else set()
        return seen


def test_kernels_of_the_rest_interface(server, kernel_name):
    assert kernel_name in server.get("api/kernelspecs")["kernelspecs"]
    kernel = server.post("api/kernels", {"name": kernel_name})
    channels = Channels(server, kernel["id"])
    seen = channels.request("execute_request", {"code": "x = 41\nprint('plain')\nx + 1", "silent": False})
    assert ("iopub", "stream", {"name": "stdout", "text": "plain\n"}) in seen
    assert [content["data"] for _, kind, content in seen if kind == "execute_result"] == [{"text/plain": "42"}]
    assert [content["status"] for _, kind, content in seen if kind == "execute_reply"] == ["ok"]
    assert channels.request("kernel_info_request", {}, "control")[-1][0] in ("control", "iopub")

    described = server.get(f"api/kernels/{kernel['id']}")
    assert described["execution_state"] == "idle" and described["connections"] == 1
    channels.socket.close()

    # What was in the interpreter is there for the next connection, and not after a restart.
    again = Channels(server, kernel["id"])
    kept = again.request("execute_request", {"code": "x", "silent": False})
    assert [content["data"]["text/plain"] for _, kind, content in kept if kind == "execute_result"] == ["41"]
    again.socket.close()
    server.post(f"api/kernels/{kernel['id']}/restart")
    fresh = Channels(server, kernel["id"])
    lost = fresh.request("execute_request", {"code": "x", "silent": False})
    assert [content["ename"] for _, kind, content in lost if kind == "error"] == ["NameError"]
    fresh.socket.close()

    server.delete(f"api/kernels/{kernel['id']}")
    assert server.get("api/kernels") == []
