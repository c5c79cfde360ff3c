"""Connection files that cannot be used: one clear sentence, an exit status, nothing started, nothing left."""

import contextlib
import json
import os
import socket
import subprocess
import time

import pytest

from support import host
from support.users import ordinary_user

pytestmark = pytest.mark.cellblock_only

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


@pytest.fixture
def info():
    """A good connection file's content: free ports, a key."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in CHANNELS]
        ports = {f"{name}_port": probe.getsockname()[1] for name, probe in zip(CHANNELS, probes)}
    return {"transport": "tcp", "ip": "127.0.0.1", "key": "k" * 32, "signature_scheme": "hmac-sha256", **ports}


@pytest.fixture
def refuse(spec, tmp_path):
    """Starts the kernel with a connection file and asserts that it refuses properly; the value is its sentence."""
    temp = tmp_path / "temp"
    temp.mkdir()

    def start(path, **options):
        cgroups_before = host.all_cgroups()
        argv = [part.replace("{connection_file}", str(path)) for part in spec.argv]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
                              env={**os.environ, **spec.env, "TMPDIR": str(temp)}, **options)
        assert done.returncode == 1, done
        assert done.stdout == ""
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, f"not one sentence: {done.stderr!r}"
        assert list(temp.iterdir()) == []
        deadline = time.monotonic() + host.GONE_WITHIN
        while (new := host.empty_cgroups() - cgroups_before) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not new
        return lines[0]

    return start


def written(tmp_path, text):
    path = tmp_path / "connection.json"
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


def test_missing(refuse, tmp_path):
    path = tmp_path / "absent.json"
    sentence = refuse(path)
    assert "No such file" in sentence and str(path) in sentence


def test_a_directory(refuse, tmp_path):
    assert str(tmp_path) in refuse(tmp_path)


def test_unreadable(refuse, public_directory, installation):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    user = ordinary_user()
    path = written(public_directory, "{}")
    path.chmod(0o600)
    try:
        sentence = refuse(path, user=user.uid, group=user.gid, extra_groups=[])
    except PermissionError:
        pytest.skip("the checkout is out of reach for other users")
    assert "Permission denied" in sentence


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00\x01", "{" * 10_000, '{"transport": "tcp"}'],
                         ids=["empty", "cut", "list", "null", "binary", "deep", "almost-empty"])
def test_not_a_connection_file(refuse, tmp_path, text):
    path = written(tmp_path, text)
    assert str(path) in refuse(path)


@pytest.mark.parametrize("key", ["ip", "shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"])
def test_a_missing_key_is_named(refuse, tmp_path, info, key):
    del info[key]
    assert key in refuse(written(tmp_path, info))


@pytest.mark.parametrize("change", [{"shell_port": "many"}, {"shell_port": -1}, {"shell_port": 0}, {"shell_port": 70_000}, {"ip": 5},
                                    {"transport": "pigeon"}, {"signature_scheme": "hmac-md17"}, {"key": 7}],
                         ids=lambda c: "-".join(map(str, *c.items())))
def test_a_wrong_value_is_named(refuse, tmp_path, info, change):
    sentence = refuse(written(tmp_path, {**info, **change}))
    (key, value), = change.items()
    assert key in sentence or str(value) in sentence


def test_a_busy_port_is_named(refuse, tmp_path, info):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        info["iopub_port"] = taken.getsockname()[1]
        sentence = refuse(written(tmp_path, info))
    assert str(info["iopub_port"]) in sentence and "in use" in sentence.lower()


def test_an_address_that_is_not_ours(refuse, tmp_path, info):
    assert "192.0.2.1" in refuse(written(tmp_path, {**info, "ip": "192.0.2.1"}))
