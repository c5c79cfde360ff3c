"""Attack: read, change or forge the audit log, or its key; put lines of one's own into it.
Barrier: neither lies where cells see anything; the kernel process alone writes; whatever a record is made of, it is one
line of escaped, bounded text.
"""

import json

ATTEMPT = """
def attempt(path, mode='r'):
    try:
        return open(path, mode).read(1)
    except OSError as error:
        return type(error).__name__
"""
HOSTILE = 'evil\n{"v":1,"seq":1}\r\x1b[2J\u2028\u202e' + "x" * 5000


def lines_of(log):
    return [line for segment in sorted(log.glob("audit-*.jsonl")) for line in segment.read_bytes().split(b"\n")[:-1]]


def test_the_log_and_the_key_are_not_there(jailed, installation):
    kernel = jailed("--audit=default")
    state = kernel.home / ".local" / "state" / "cellblock" / "audit"
    keys = kernel.home / ".config" / "cellblock" / "audit"
    keys.mkdir(parents=True)
    (keys / "key.pem").write_text("secret")
    for path in (state / "audit-00000001.jsonl", state / "lock", keys / "key.pem"):
        assert path.exists()
        for mode in ("r", "a"):
            assert kernel.run(f"{ATTEMPT}\nattempt({str(path)!r}, {mode!r})").result == "'FileNotFoundError'"
    found = kernel.run("import os\n[place for place, _, names in os.walk('/') if 'audit-00000001.jsonl' in names]", timeout=90)
    assert found.result == "[]"


def test_the_log_is_no_open_file_of_the_worker(jailed):
    kernel = jailed("--audit=default")
    cell = kernel.run("import os\n[t for t in (os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') "
                      "if os.path.lexists(f'/proc/self/fd/{n}')) if 'audit' in t]")
    assert cell.result == "[]", cell


def test_names_and_code_cannot_make_lines(jailed, installation):
    kernel = jailed("--audit=default", "--audit-code=full", env={"JPY_SESSION_NAME": HOSTILE})
    state = kernel.home / ".local" / "state" / "cellblock" / "audit"
    kernel.client.session.username = HOSTILE[:200]
    kernel.run(f"#{HOSTILE!r}\n'{'é' * 40000}'\n# \x1b]0;title\x07 \x9b2J\nprint({HOSTILE!r})")
    lines = lines_of(state)
    for line in lines:
        record = json.loads(line)
        assert isinstance(record["seq"], int) and len(line) < 64 * 1024
        assert not any(byte < 0x20 or byte == 0x7f for byte in line)
        assert not set(line.decode()) & set("\x80\x85\x9b\u2028\u2029\u202e")
    starts = [json.loads(line) for line in lines if b'"cell_start"' in line]
    assert "notebook" in starts[0]["cut"] and "code" in starts[0]["cut"] and len(starts) == 1
    done = installation.run("audit", "verify", "--path", state)
    assert done.returncode == 0, done.stdout
    shown = installation.run("audit", "show", "--path", state).stdout
    assert "\x1b" not in shown and len(shown.splitlines()) == len(lines) + 1


def test_a_worker_cannot_speak_for_the_log(jailed):
    """It can put its own `cellblock` into the metadata of a reply; of two with the same name ours is the last."""
    kernel = jailed("--audit=default")
    kernel.run("""
import sys
Link = sys.modules['cellblock_worker.link'].Link
real = Link.reply
def reply(self, request, content, metadata=None, leave=False):
    return real(self, request, content, {**(metadata or {}), 'forged': 1, 'cellblock': {'verdict': 'forged'}}, leave)
Link.reply = reply
""")
    metadata = kernel.run("1 / 0").reply["metadata"]
    assert metadata["forged"] == 1, "the attack did not work at all"
    assert metadata["cellblock"]["verdict"] == "error" and len(metadata["cellblock"]["record"]) == 64
