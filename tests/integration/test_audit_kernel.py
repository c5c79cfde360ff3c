"""The audit log of real kernels: every record fits the documented schema, cells without a record do not run, and what a
reply says of its cell is what the log says."""

import hashlib
import json
import os
import shutil
import subprocess
import time

import jsonschema
import pytest
from jupyter_client.connect import write_connection_file

from support import messages
from support.installation import ROOT, read_spec

pytestmark = pytest.mark.cellblock_only

SCHEMA = json.loads((ROOT / "docs" / "audit-log.schema.json").read_text())


def audited(spec, log, *arguments):
    return spec.__class__(spec.name, (*spec.argv, f"--audit={log}", *arguments), spec.env, spec.interrupt_mode,
                          spec.directory)


def records(log):
    return [json.loads(line) for segment in sorted(log.glob("audit-*.jsonl")) for line in segment.read_text().splitlines()]


def of_type(log, kind):
    return [record for record in records(log) if record["type"] == kind]


# What hosts cannot measure: version 1 of cgroups the bytes of block devices, version 2 before 6.12 the peak of a cell.
NOT_MEASURED = {"io", "memory_peak"}


def lacks(log):
    return [record["lacks"] for record in of_type(log, "degradation") if record["lacks"] not in NOT_MEASURED]


def verified(installation, log, home=None):
    environment = {"HOME": str(home)} if home else None
    done = installation.run("audit", "verify", "--path", log, "--json", env=environment)
    return json.loads(done.stdout)


@pytest.fixture
def log(public_directory):
    return public_directory / "audit"


def test_a_kernel_and_its_cells_leave_records_that_fit_the_schema(spec, start_kernel, log, installation):
    kernel = start_kernel(audited(spec, log))
    assert installation.run("audit", "init", env={"HOME": str(kernel.home)}).returncode == 0
    kernel.shutdown()
    kernel.start_again()  # With a key now.
    kernel.client = kernel._connect()
    cell = kernel.run("print('hello')\n6 * 7")
    assert kernel.run("1 / 0").status == "error"
    assert kernel.run("import os; os._exit(3)").status == "error"
    kernel.run("import ctypes\nfor i in range(3): ctypes.CDLL(None).ptrace(0, 0, 0, 0)")
    msg_id = kernel.client.execute("import time\nprint('now')\ntime.sleep(30)", allow_stdin=False)
    while messages.next_iopub(kernel.client, time.monotonic() + 10, "its output")["msg_type"] != "stream":
        pass
    kernel.interrupt()
    messages.reply_to(kernel.client, msg_id)
    kernel.shutdown()

    for record in records(log):
        jsonschema.validate(record, SCHEMA)
    types = {record["type"] for record in records(log)}
    assert {"segment", "kernel_start", "cell_start", "cell_end", "denial", "interrupt", "worker_restart", "kernel_stop",
            "checkpoint"} <= types
    assert verified(installation, log, kernel.home)["ok"]
    assert verified(installation, log, kernel.home)["signed_up_to"] == records(log)[-1]["seq"]

    assert lacks(log) == ["signatures"], "of the first kernel, which had no key"

    start = of_type(log, "cell_start")[0]
    assert start["code_sha256"] == hashlib.sha256(b"print('hello')\n6 * 7").hexdigest() and "code" not in start
    assert start["kernel"] == "test" and start["notebook"] == "notebook.ipynb" and start["msg_id"]
    ends = of_type(log, "cell_end")
    assert [end["verdict"] for end in ends] == ["ok", "error", "worker.exited", "ok", "error"]
    assert ends[0]["outputs"] == 2 and ends[0]["wall_us"] > 0 and ends[0]["memory_peak"] > 0
    assert ends[2]["exit_code"] == 3
    assert of_type(log, "denial")[0]["calls"] == [{"call": "ptrace", "count": 3}]

    told = cell.reply["metadata"]["cellblock"]
    assert told["record"] == ends[0]["hash"] and told["verdict"] == "ok" and told["cpu_us"] == ends[0]["cpu_us"]
    assert told["policy"] == of_type(log, "kernel_start")[-1]["policy"] == ends[0]["policy"]


# Each meets one limit and goes on.
MEETS = {
    "soft_memory": "bytearray(2_000_000_000)",
    "processes": """
import subprocess
running = []
try:
    for _ in range(64):
        running.append(subprocess.Popen(["sleep", "60"]))
finally:
    for process in running:
        process.kill()
        process.wait()
""",
    "scratch": "open('/tmp/full', 'wb', buffering=0).write(bytes(20_000_000)); open('/tmp/more', 'w').write('x')",
    "shared_memory": "import os; os.unlink('/tmp/full'); open('/dev/shm/full', 'wb', buffering=0).write(bytes(20_000_000))",
    "scratch_files": "import os; os.unlink('/dev/shm/full')\nfor i in range(2000): open(f'/tmp/{i}', 'w').close()",
    "output": "print('x' * 3_000_000)",
    "cpu_time": "while True: pass",
    "wall_time": "import time; time.sleep(60)",
}


def test_every_limit_that_a_cell_meets_is_recorded(spec, start_kernel, log, installation):
    settings = ("--memory=1GiB", "--processes=32", "--scratch=8MiB", "--shared-memory=8MiB", "--scratch-files=1000",
                "--output-limit=1MiB", "--cpu-time=2s", "--wall-time=5s")
    kernel = start_kernel(audited(spec, log, *settings))
    for code in MEETS.values():
        kernel.run(code)
    kernel.run("1 + 1")
    hard = start_kernel(audited(spec, log, "--memory=256MiB", "--soft-memory=none"))
    assert hard.run("x = []\nwhile True: x.append(bytearray(1_000_000))").error
    kernel.shutdown()

    hits = of_type(log, "limit_hit")
    for hit in hits:
        jsonschema.validate(hit, SCHEMA)
    assert [hit["limit"] for hit in hits] == [*MEETS, "memory"]
    by = {hit["limit"]: hit for hit in hits}
    cells = {end["msg_id"]: end["cell"] for end in of_type(log, "cell_end")}
    assert all(cells[hit["msg_id"]] == hit["cell"] for hit in hits)
    for limit, unit, allowed in (("memory", "bytes", 256 << 20), ("soft_memory", "bytes", (1 << 30) // 100 * 90),
                                 ("processes", "count", 32), ("scratch", "bytes", 8 << 20),
                                 ("shared_memory", "bytes", 8 << 20), ("scratch_files", "count", 1000),
                                 ("output", "bytes", 1 << 20), ("cpu_time", "us", 2_000_000), ("wall_time", "us", 5_000_000)):
        assert (by[limit]["unit"], by[limit]["allowed"]) == (unit, allowed), limit
        if limit not in ("soft_memory", "processes"):
            assert by[limit]["measured"] >= 0.99 * allowed, by[limit]
    assert by["memory"]["measured"] <= 256 << 20 and by["memory"]["count"] == 1
    assert by["soft_memory"]["count"] == 1 and by["processes"]["count"] >= 1 and by["output"]["count"] >= 1

    shown = installation.run("audit", "show", "--path", log, "--type", "limit_hit").stdout
    assert "limit=memory allowed=256.0 MiB measured=256.0 MiB count=1" in shown and "limit=wall_time allowed=5.0 s" in shown
    counted = json.loads(installation.run("audit", "stats", "--path", log, "--json").stdout)
    assert counted["limits"] == dict.fromkeys(by, 1) and counted["types"]["limit_hit"] == len(by)


def test_what_a_kernel_does_without_is_recorded(spec, start_kernel, log, installation):
    weak = start_kernel(audited(spec, log, "--isolation=namespaced", "--audit-on-error=continue"))
    for record in of_type(log, "degradation"):
        jsonschema.validate(record, SCHEMA)
    assert lacks(log) == ["cgroup", "fail_closed", "signatures"]
    assert "lacks=cgroup" in installation.run("audit", "show", "--path", log).stdout
    weak.shutdown()


IGNORED_CHILDREN = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(2):
    if os.fork() == 0:
        while time.process_time() < 0.4: pass
        os._exit(0)
try:
    while True: os.wait()
except ChildProcessError:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
"""
KILLED_CHILD = """
import os
read, write = os.pipe()
child = os.fork()
if child == 0:
    memory = bytearray(100 << 20)
    os.write(write, b'x')
    signal.pause()
os.read(read, 1)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""
IN_MEMORY_FILE = """
with open('/dev/shm/large', 'wb', buffering=0) as file:
    for _ in range(80): file.write(bytes(1 << 20))
os.unlink('/dev/shm/large')
"""


def test_what_a_cell_used_is_its_own_and_hides_nothing(spec, start_kernel, log):
    kernel = start_kernel(audited(spec, log, "--memory=512MiB"))
    kernel.run("1 + 1")

    def used(code):
        cell = kernel.run(code)
        assert cell.status == "ok", cell
        told = cell.reply["metadata"]["cellblock"]
        end = of_type(log, "cell_end")[-1]
        assert {key: end[key] for key in told if key != "record"} == {key: told[key] for key in told if key != "record"}
        return told

    idle = used("pass")
    assert used(IGNORED_CHILDREN)["cpu_us"] >= 750_000, "nobody has waited for these children"
    assert used("pass")["cpu_us"] < 300_000
    for code, size in ((KILLED_CHILD, 100 << 20), (IN_MEMORY_FILE, 80 << 20)):
        assert used(code)["memory_peak"] > idle["memory_peak"] + 0.9 * size
        after = used("pass")
        if after["memory_peak_of"] == "cell":
            assert after["memory_peak"] < idle["memory_peak"] + 0.5 * size, "that was another cell's"
    not_measured = {record["lacks"] for record in of_type(log, "degradation")} & NOT_MEASURED
    assert ("io" in not_measured) == ("io_read_bytes" not in idle) == ("io_write_bytes" not in idle)
    assert ("memory_peak" in not_measured) == (idle["memory_peak_of"] == "session")
    if os.path.exists("/sys/fs/cgroup/memory"):
        assert not_measured == {"io"}, "version 1 restarts the peak, and counts no bytes"


LEFT_BEHIND = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", '''
import time
began = time.process_time()
memory = bytearray(60 << 20)
while time.process_time() < began + 0.7: pass
del memory
'''])
class Child:
    def __dir__(self):
        return ["runs" if child.poll() is None else "ended"]
y = Child()
"""
COMPLETED_AT_A_COST = """
import time
class Costly:
    def __dir__(self):
        began = time.process_time()
        while time.process_time() < began + 0.3: pass
        return ["member"]
x = Costly()
"""


def test_what_is_used_between_cells_is_recorded(spec, start_kernel, log, installation):
    kernel = start_kernel(audited(spec, log, "--memory=512MiB"))
    kernel.run(COMPLETED_AT_A_COST)
    kernel.run("pass")
    began = sum(record["cpu_us"] for record in of_type(log, "between_cells"))
    assert kernel.request("complete_request", {"code": "x.", "cursor_pos": 2}).content["matches"]
    kernel.run(LEFT_BEHIND)
    deadline = time.monotonic() + 60
    while not any(match.endswith("ended") for match in
                  kernel.request("complete_request", {"code": "y.", "cursor_pos": 2}).content["matches"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    kernel.run("pass")
    kernel.shutdown()

    between, ends = of_type(log, "between_cells"), of_type(log, "cell_end")
    for record in between:
        jsonschema.validate(record, SCHEMA)
    assert sum(record["cpu_us"] for record in between) - began >= 900_000, "of the completion, and of the process"
    assert max(record["memory_peak"] for record in between) > 60 << 20
    assert all(end["cpu_us"] < 500_000 for end in ends), "none of it was any cell's"
    assert of_type(log, "kernel_stop")[0]["seq"] > between[-1]["seq"] > ends[-1]["seq"]
    stats = json.loads(installation.run("audit", "stats", "--path", log, "--json").stdout)
    assert stats["between_cells"]["cpu_us"] == sum(record["cpu_us"] for record in between)
    assert "between cells" in installation.run("audit", "stats", "--path", log).stdout


def installed(installation, prefix, home, *arguments):
    return installation.run("install", "--python", installation.python, "--prefix", prefix, *arguments,
                            env={"HOME": str(home), "PATH": os.environ["PATH"]})


def test_installations_are_recorded(start_kernel, log, installation, public_directory):
    home, prefix = public_directory / "home", public_directory / "prefix"
    home.mkdir()
    assert installed(installation, prefix, home, "--name=kept", "--audit", log, "--memory=1GiB").returncode == 0
    installed_spec = read_spec("kept", [prefix / "share" / "jupyter" / "kernels"])
    kernel = start_kernel(installed_spec)
    kernel.shutdown()
    removed = installation.run("uninstall", "kept", "--prefix", prefix, env={"HOME": str(home)})
    assert removed.returncode == 0, removed.stderr

    (install,), (uninstall,), (start,) = (of_type(log, kind) for kind in ("install", "uninstall", "kernel_start"))
    for record in (install, uninstall):
        jsonschema.validate(record, SCHEMA)
        assert record["name"] == "kept" and record["directory"] == str(prefix / "share" / "jupyter" / "kernels" / "kept")
    for same in ("python", "environment", "policy", "level", "version", "uid", "user"):
        assert install[same] == start[same], same
    assert install["prefix"] in install["python"] and install["profile"] == "default"
    assert verified(installation, log)["ok"]
    assert "name=kept" in installation.run("audit", "show", "--path", log, "--type", "uninstall").stdout


def test_installations_are_recorded_with_the_arguments_that_the_kernel_will_have(start_kernel, log, installation,
                                                                                 public_directory):
    home, prefix = public_directory / "home", public_directory / "prefix"
    home.mkdir()
    assert installed(installation, prefix, home, "--name=kept", f"--kernel-arg=--audit={log}", "--kernel-arg=--memory",
                     "--kernel-arg=1GiB").returncode == 0
    start_kernel(read_spec("kept", [prefix / "share" / "jupyter" / "kernels"])).shutdown()
    (install,), (start,) = of_type(log, "install"), of_type(log, "kernel_start")
    assert install["policy"] == start["policy"]


def test_without_its_record_nothing_is_installed_unless_by_name(log, installation, public_directory):
    home, prefix = public_directory / "home", public_directory / "prefix"
    home.mkdir()
    log.write_text("")
    refused = installed(installation, prefix, home, "--audit", log)
    assert refused.returncode == 1 and "audit log" in refused.stderr and not prefix.exists()
    warned = installed(installation, prefix, home, "--audit", log, "--audit-on-error=continue")
    assert warned.returncode == 0 and "warning: record in the audit log what is installed" in warned.stderr


def test_an_initialised_log_records_kernels_that_have_none(installation, public_directory):
    home, prefix = public_directory / "home", public_directory / "prefix"
    home.mkdir()
    log = home / ".local" / "state" / "cellblock" / "audit"
    assert installed(installation, prefix, home).returncode == 0
    assert not log.exists(), "nobody has asked for a log"
    assert installation.run("audit", "init", env={"HOME": str(home)}).returncode == 0
    assert installed(installation, prefix, home).returncode == 0
    assert len(of_type(log, "install")) == 1


def test_the_schema_refuses_what_is_no_record():
    good = {"v": 1, "seq": 1, "prev": "0" * 64, "time": "2026-01-31T12:00:00.123456Z", "type": "segment", "number": 1,
            "hash": "0" * 64}
    jsonschema.validate(good, SCHEMA)
    for change in ({"type": "other"}, {"number": "1"}, {"extra": 1}, {"hash": "0"}, {"seq": 0}, {"v": 2}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**good, **change}, SCHEMA)


def test_without_a_setting_there_is_no_log(spec, start_kernel):
    kernel = start_kernel(spec)
    cell = kernel.run("1 + 1")
    assert "cellblock" not in cell.reply["metadata"]
    assert not list(kernel.home.rglob("audit*"))


def test_the_default_place_is_the_users(spec, start_kernel, installation):
    kernel = start_kernel(audited(spec, "default"))
    kernel.run("1 + 1")
    kernel.shutdown()
    assert len(of_type(kernel.home / ".local" / "state" / "cellblock" / "audit", "cell_end")) == 1
    shown = installation.run("audit", "show", "--type", "cell_end", env={"HOME": str(kernel.home)})
    assert "notebook.ipynb" in shown.stdout and " ok " in shown.stdout


def test_code_is_recorded_only_by_name(spec, start_kernel, log):
    kernel = start_kernel(audited(spec, log, "--audit-code=full"))
    kernel.run("'a line'\n'\u2028 another'")
    assert of_type(log, "cell_start")[0]["code"] == "'a line'\n'\u2028 another'"


# Requests that have no records and run users' code: properties, __repr__, __dir__.
UNRECORDED = [("complete_request", {"code": "x.", "cursor_pos": 2}),
              ("inspect_request", {"code": "x", "cursor_pos": 1, "detail_level": 0})]


def execute(kernel, code, metadata):
    """A cell with metadata, as front ends send it."""
    message = kernel.client.session.msg("execute_request", {"code": code, "silent": False, "store_history": True,
                                                            "user_expressions": {}, "allow_stdin": False}, metadata=metadata)
    kernel.client.shell_channel.send(message)
    messages.reply_to(kernel.client, message["header"]["msg_id"])


def test_ids_of_traces_and_cells_are_recorded_where_they_are_well_formed(spec, start_kernel, log):
    kernel = start_kernel(audited(spec, log))
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    execute(kernel, "1", {"traceparent": trace, "cellId": "a-1"})
    wrong = [trace.upper(), trace + "-x", trace.replace("00-", "01-", 1), trace.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
             trace.replace("00f067aa0ba902b7", "0" * 16), trace[:-1] + "\n", 7]
    for other in wrong:
        execute(kernel, "2", {"traceparent": other})
    ends = of_type(log, "cell_end")
    assert ends[0]["traceparent"] == trace and ends[0]["cell_id"] == "a-1"
    assert len(ends) == 1 + len(wrong) and not any("traceparent" in end or "cell_id" in end for end in ends[1:])


def test_outputs_that_change_after_a_cells_end_are_recorded(spec, start_kernel, log):
    kernel = start_kernel(audited(spec, log))
    kernel.run("from IPython.display import display\nshown = display('old', display_id=True)")
    kernel.run("shown.update('new')")
    kernel.shutdown()
    changed = of_type(log, "outputs_changed")
    jsonschema.validate(changed[0], SCHEMA)
    ends = of_type(log, "cell_end")
    assert [record["cell"] for record in changed] == [ends[0]["cell"]]
    assert changed[0]["outputs_sha256"] != ends[0]["outputs_sha256"] and changed[0]["code_sha256"] == ends[0]["code_sha256"]


def break_by_a_file(log):
    shutil.rmtree(log)
    log.write_text("")


def mend_the_file(log):
    log.unlink()
    log.mkdir()


def test_without_its_record_no_cell_runs_until_the_log_works_again(spec, start_kernel, log):
    kernel = start_kernel(audited(spec, log))
    assert kernel.run("x = 1").status == "ok"
    break_by_a_file(log)
    cell = kernel.run("x = 2")
    assert cell.status == "error" and "audit log" in cell.error and str(log) in cell.error
    for msg_type, content in UNRECORDED:
        refused = kernel.request(msg_type, content)
        assert refused.content["status"] == "error" and "audit log" in refused.content["evalue"], msg_type
    mend_the_file(log)
    assert kernel.run("x").result == "1", "the refused cell has not run"
    for msg_type, content in UNRECORDED:
        assert kernel.request(msg_type, content).content["status"] == "ok"
    assert of_type(log, "records_missing")


def test_continue_goes_on_and_says_later_what_is_missing(spec, start_kernel, log):
    kernel = start_kernel(audited(spec, log, "--audit-on-error=continue"))
    break_by_a_file(log)
    cell = kernel.run("1 + 1")
    assert cell.result == "2" and "not in the audit log yet" in cell.stderr
    mend_the_file(log)
    assert kernel.run("2 + 2").result == "4"
    types = [record["type"] for record in records(log)]
    (gap,) = of_type(log, "gap")
    late = types[types.index("gap") + 1:][:gap["late"]]
    # The start of the interpreter has used something before the first cell, or not enough for a record.
    assert [kind for kind in late if kind != "between_cells"] == ["cell_start", "cell_end"]
    assert len(of_type(log, "cell_end")) == 2


def test_a_log_that_cannot_be_opened_at_the_start_refuses_cells_and_not_the_kernel(spec, start_kernel, public_directory):
    place = public_directory / "file"
    place.write_text("")
    kernel = start_kernel(audited(spec, place / "log"))
    assert "audit log" in kernel.run("1 + 1").error


@pytest.fixture
def small_disk(public_directory):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    place = public_directory / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=100", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)  # The kernel still has its files open.


def test_a_full_disk_stops_cells(spec, start_kernel, small_disk, installation):
    log = small_disk / "log"
    kernel = start_kernel(audited(spec, log))
    assert kernel.run("1 + 1").result == "2"
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        with pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"x" * 512)
    refused = [kernel.run("1 + 1") for _ in range(20)]
    assert refused[-1].status == "error" and "ENOSPC" in refused[-1].error and "Make room" in refused[-1].error
    filler.unlink()
    assert kernel.run("1 + 1").result == "2"
    kernel.shutdown()
    assert verified(installation, log)["ok"]


def test_a_full_disk_leaves_kernels_as_they_are(small_disk, installation, public_directory):
    home, prefix, log = public_directory / "home", public_directory / "prefix", small_disk / "log"
    kernels = prefix / "share" / "jupyter" / "kernels"
    home.mkdir()
    assert installed(installation, prefix, home, "--name=first", "--audit", log).returncode == 0
    before = (kernels / "first" / "kernel.json").read_bytes()
    with open(small_disk / "filler", "wb", buffering=0) as file:
        with pytest.raises(OSError, match="No space"):
            while True:
                file.write(b"x" * 512)
    def fill_the_last_page():
        with open(log / "audit-00000001.jsonl", "ab") as file:
            file.write(b"x" * (-file.tell() % 4096))
    fill_the_last_page()
    for name in ("first", "second"):
        refused = installed(installation, prefix, home, f"--name={name}", "--audit", log, "--memory=1GiB")
        assert refused.returncode == 1 and "audit log" in refused.stderr and "ENOSPC" in refused.stderr
    removed = installation.run("uninstall", "first", "--prefix", prefix, env={"HOME": str(home)})
    assert removed.returncode == 1 and "ENOSPC" in removed.stderr
    assert os.listdir(kernels) == ["first"] and (kernels / "first" / "kernel.json").read_bytes() == before
    text = (log / "audit-00000001.jsonl").read_text()  # of records and filling
    assert text.count('"type":"install"') == 1 and '"type":"uninstall"' not in text


def test_a_read_only_disk_stops_cells(spec, start_kernel, small_disk):
    kernel = start_kernel(audited(spec, small_disk / "log"))
    assert kernel.run("1 + 1").result == "2"
    # What is open for writing keeps the file system from being remounted: as after an error of the disk, by force.
    copy = small_disk.parent / "copy"
    shutil.copytree(small_disk / "log", copy)
    subprocess.run(["mount", "--bind", copy, small_disk / "log"], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", small_disk / "log"], check=True)
    try:
        cell = kernel.run("1 + 1")
        assert cell.status == "error" and "EROFS" in cell.error
    finally:
        subprocess.run(["umount", small_disk / "log"], check=True)
    assert kernel.run("1 + 1").result == "2"


def test_kernels_share_a_log(spec, start_kernel, log, installation):
    kernels = [start_kernel(audited(spec, log)) for _ in range(3)]
    for _ in range(3):
        for kernel in kernels:
            assert kernel.run("1 + 1").result == "2"
    report = verified(installation, log)
    assert report["ok"] and len(of_type(log, "cell_end")) == 9


def test_a_log_that_cells_could_see_is_refused(public_directory, installation):
    connection, _ = write_connection_file(str(public_directory / "connection.json"), key=b"secret")
    done = subprocess.run([installation.binary, "kernel", "-f", connection, "--python", installation.python,
                           f"--audit={public_directory / 'log'}"], cwd=public_directory, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 1 and "cells can see" in done.stderr
    assert not (public_directory / "log").exists()
