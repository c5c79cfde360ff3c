"""Cellblock beside ipykernel: the same conversations with both, in the same environment, in alternating rounds, so
that whatever else the machine does hits both alike. Called by ./bench.
"""

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.installation import ROOT, read_spec  # noqa: E402
from support.users import ordinary_user  # noqa: E402

from measured_kernel import MeasuredKernel  # noqa: E402
from measured_programs import measure_programs, print_programs  # noqa: E402

KERNELS = {"ipykernel": "python3", "cellblock": "cellblock"}
MB = 1_000_000

FULL = {"rounds": 5, "starts": 4, "cells": 200, "displays": 20, "pictures": 3, "completions": 50, "works": 5, "flood": 100_000,
        # A cell may have 81,920 displays.
        "displays_flood": 80_000, "idle": 5.0, "jails": 200, "overruns": 20, "records_of_cells": 500, "records": 1_000_000,
        "programs": 20, "program_overruns": 10}
QUICK = {"rounds": 2, "starts": 1, "cells": 20, "displays": 3, "pictures": 1, "completions": 5, "works": 1, "flood": 2_000,
         "displays_flood": 2_000, "idle": 1.0, "jails": 10, "overruns": 2, "records_of_cells": 20, "records": 10_000,
         "programs": 2, "program_overruns": 2}
COMPLETIONS = ("import os\nos.path.jo", "json.lo", "collections.Ord", "block.ke", "imp")

# Work of a cell by itself. Defined in one cell and called in others, so that nothing but the work is repeated.
WORK = """
import os, numpy
from pathlib import Path

def compute():
    total = 0
    for i in range(3_000_000):
        total += i * i % 7
    matrix = numpy.random.default_rng(1).normal(size=(500, 500))
    for _ in range(10):
        matrix = matrix @ matrix.T / 500
    return total

_sources = sorted(Path(numpy.__file__).parent.glob("**/*.py"))

def handle_files():
    for source in _sources:
        source.read_bytes()
    for round in range(8):
        with open("/dev/shm/bench", "wb", buffering=0) as file:
            for _ in range(512):
                file.write(bytes(32768))
        Path("/dev/shm/bench").read_bytes()
    os.unlink("/dev/shm/bench")

def call_system():
    for _ in range(1_000_000):
        os.getppid()
"""


def measure_round(spec, size, floods):
    """One round with one kernel: lists of samples by row."""
    samples = {"start": [], "cell": [], "display": []}
    for _ in range(size["starts"]):
        with MeasuredKernel(spec) as kernel:
            samples["start"].append(kernel.first_reply_ms)
    with MeasuredKernel(spec) as kernel:
        kernel.wait_for_iopub()
        for _ in range(10):
            kernel.timed_ms("pass")
        samples["idle_cpu"] = [kernel.cpu_percent_over(size["idle"])]
        samples.update({f"memory_{part}": [value] for part, value in kernel.memory_mb().items()})
        samples["cell"] = [kernel.timed_ms("pass") for _ in range(size["cells"])]
        kernel.timed_ms(f"block = {{'text/plain': 'x' * {MB}}}")
        samples["display"] = [kernel.timed_ms("display(block, raw=True)") for _ in range(size["displays"])]
        kernel.timed_ms(f"from IPython.display import Image\npicture = Image(bytes({50 * MB}), format='png')")
        samples["picture"] = [kernel.timed_ms("display(picture)") for _ in range(size["pictures"])]
        kernel.timed_ms("import json, collections")
        for code in COMPLETIONS:
            kernel.completion_ms(code)  # The first of each kind reads modules.
        samples["completion"] = [kernel.completion_ms(COMPLETIONS[i % len(COMPLETIONS)])
                                 for i in range(size["completions"])]
        kernel.timed_ms(WORK)
        for row, call in (("computation", "compute()"), ("files", "handle_files()"), ("calls", "call_system()")):
            kernel.timed_ms(call)
            samples[row] = [kernel.timed_ms(call + ";") for _ in range(size["works"])]
        if floods:
            prints = kernel.flood(f"for i in range({size['flood']}):\n    print(i)")
            samples["prints"], samples["prints_arrived"] = [prints.seconds], [prints.lines]
            samples["prints_idle"] = [prints.idle_came]
            kernel.replace_sockets()
            messages = kernel.flood("publish = get_ipython().display_pub.publish\n"
                                    f"for i in range({size['displays_flood']}):\n    publish({{'text/plain': 'x'}})")
            samples["messages"], samples["messages_arrived"] = [messages.seconds], [messages.displays]
            samples["messages_idle"] = [messages.idle_came]
    return samples


def measure(size):
    collected = {name: {} for name in KERNELS}
    specs = {name: read_spec(kernelspec) for name, kernelspec in KERNELS.items()}
    for number in range(size["rounds"]):
        # Alternating who goes first: the second of a pair finds warmer caches.
        for name in sorted(KERNELS, reverse=number % 2 == 1):
            print(f"\r\033[K  round {number + 1} of {size['rounds']}: {name}" if sys.stdout.isatty()
                  else f"  round {number + 1} of {size['rounds']}: {name}", end="" if sys.stdout.isatty() else "\n", flush=True)
            for row, values in measure_round(specs[name], size, floods=number == 0).items():
                collected[name].setdefault(row, []).extend(values)
    print("\r\033[K" if sys.stdout.isatty() else "", end="")
    return collected


BARE = "bare spawn of /bin/true"
JAIL_ASKED = {"start": "<= 3 ms over bare", "start, /bin/true, end": "<= 3 ms over bare, below bubblewrap"}


def measure_jails(size):
    """The jail alone, without Python: samples in milliseconds, by who started it and what was measured."""
    programs = ROOT / "build" / "release" / "bin"
    command = ["jail_bench", str(size["jails"])]
    if os.geteuid() != 0:
        return {"this user": json_of([programs / command[0], *command[1:]])}
    samples = {"root": json_of([programs / command[0], *command[1:]])}
    user = ordinary_user()
    delegated = subprocess.run([programs / "cellblock", "delegate", user.name], capture_output=True).returncode == 0
    levels = [] if delegated else ["namespaced"]  # With version 2 systemd delegates, to users that are logged in.
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(programs / command[0], directory)
        samples["an ordinary user"] = json_of([program, *command[1:], *levels], user=user.uid, group=user.gid, extra_groups=[])
    return samples


def json_of(command, **how):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **how)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed: {done.stderr}")
    return json.loads(done.stdout)


def print_jails(who, samples):
    print(f"\n{f'jail alone, as {who}, ms':<38}{'median':>10}{'p99':>10}{'over bare':>11}   asked")
    bare = statistics.median(samples[BARE])
    for name, values in samples.items():
        over = "" if name == BARE else f"{statistics.median(values) - bare:.2f}"
        asked = JAIL_ASKED.get(name.partition(": ")[2], "")
        print(f"{name:<38}{statistics.median(values):>10.2f}{p99(values):>10.2f}{over:>11}   {asked}".rstrip())


# Cells that run into their limit of time: what they do, how long they may take until they must have ended, in ms.
LIMIT_MS, GRACE_MS = 300, 2000
OVERRUNS = {
    "interrupted while it computes": ("while True: pass", LIMIT_MS),
    "interrupted while it sleeps": ("import time; time.sleep(60)", LIMIT_MS),
    "killed, since it is deaf": ("sum(range(10 ** 12))", LIMIT_MS + GRACE_MS),
}


def measure_overruns(size):
    """How long after the end of its time a cell's reply and idle are there: milliseconds, by kind of cell."""
    spec = read_spec("cellblock")
    limited = dataclasses.replace(spec, argv=(*spec.argv, f"--wall-time={LIMIT_MS}ms"))
    samples = {name: [] for name in OVERRUNS}
    with MeasuredKernel(limited) as kernel:
        kernel.wait_for_iopub()
        for _ in range(size["overruns"]):
            for name, (code, allowed_ms) in OVERRUNS.items():
                samples[name].append(kernel.timed_ms(code, status="error") - allowed_ms)
                kernel.timed_ms("pass")  # The next cell begins with an interpreter that is ready.
    return samples


def measure_audit(size):
    """The audit log alone: what its records and hashes of outputs cost a cell, what many writers leave of each other's records,
    and how long it takes to verify a large log."""
    program = ROOT / "build" / "release" / "bin" / "audit_bench"
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run([program, str(size["records_of_cells"]), str(size["records"]), directory],
                              capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise SystemExit(f"{program} failed: {done.stderr}")
    return json.loads(done.stdout)


def p99(values):
    return sorted(values)[min(len(values) - 1, round(0.99 * (len(values) - 1)))]


# row, text, unit, what was asked: a limit on (ratio, own value)
ROWS = (
    ("start", "spawn to first execute_reply", "ms", "<= 0.5 x"),
    ("cell", "no-op cell, reply and idle", "ms", "<= 0.5 x"),
    ("display", "display of 1 MB", "ms", ""),
    ("picture", "display of a 50 MB picture", "ms", "<= 1 x"),
    ("completion", "completion", "ms", "<= 1.2 x"),
    ("computation", "a second of computing", "ms", "<= 1.03 x"),
    ("files", "a second of files", "ms", "<= 1.03 x"),
    ("calls", "10^6 system calls", "ms", "<= 100 ms more"),
    ("prints", "{flood} prints", "s", ""),
    ("messages", "{displays_flood} displays", "s", ""),
    ("memory_kernel_rss", "kernel process, RSS", "MB", "<= 15 MB"),
    ("memory_kernel_pss", "kernel process, PSS", "MB", ""),
    ("memory_worker_pss", "jail (pid 1 and worker), PSS", "MB", ""),
    ("memory_total_pss", "all processes, PSS", "MB", ""),
    ("idle_cpu", "CPU when idle", "%", "0 %"),
)


def cell_text(values):
    if not values:
        return "-"
    text = f"{statistics.median(values):.2f}"
    return text + (f" (p99 {p99(values):.2f})" if len(values) >= 20 else "")


def print_tables(collected, jails, overruns, audit, size):
    ours, theirs = collected["cellblock"], collected["ipykernel"]
    counts = {row: format(size[row], ",") for row in ("flood", "displays_flood")}
    print(f"{'':<34}{'ipykernel':>24}{'cellblock':>24}{'ratio':>8}   asked")
    for row, text, unit, asked in ROWS:
        mine, reference = ours.get(row, []), theirs.get(row, [])
        ratio = ""
        if mine and reference and statistics.median(reference) > 0 and unit != "%":
            ratio = f"{statistics.median(mine) / statistics.median(reference):.2f}"
        name = f"{text.format(**counts)}, {unit}"
        print(f"{name:<34}{cell_text(reference):>24}{cell_text(mine):>24}{ratio:>8}   {asked}")
    print()
    for row, text in (("prints", "lines of {flood} prints that arrived"), ("messages", "of {displays_flood} displays that arrived")):
        name = text.format(**counts)
        shown = [f"{kernel[row + '_arrived'][0]:,}" + ("" if kernel[row + "_idle"][0] else ", no idle")
                 for kernel in (theirs, ours)]
        print(f"{name:<34}{shown[0]:>24}{shown[1]:>24}{'':>8}   all, and idle")
    for who, samples in jails.items():
        print_jails(who, samples)
    print(f"\n{'end of a cell beyond its time, ms':<34}{'median':>12}{'worst':>12}   asked")
    for name, values in overruns.items():
        print(f"{name:<34}{statistics.median(values):>12.2f}{max(values):>12.2f}   <= 50 ms")
    print(f"\n{'audit log alone, ms':<34}{'median':>12}{'p99':>12}   asked")
    for name, values in audit["cells"].items():
        asked = "<= 0.1 ms" if name.startswith("all of") else ""
        print(f"{name:<34}{statistics.median(values):>12.3f}{p99(values):>12.3f}   {asked}")
    writers = audit["writers"]
    print(f"{writers['processes']} kernels that append at once: {writers['found']:,} of {writers['appended']:,} records are there, "
          f"{writers['appended'] / writers['seconds']:,.0f} a second, each cell's synced")
    print(f"verify {audit['records']:,} records: {audit['verify_seconds']:.2f} s")


def main():
    parser = argparse.ArgumentParser(prog="./bench", description="Compares Cellblock with ipykernel on this machine.")
    parser.add_argument("--quick", action="store_true", help="few samples: shows that it works, not how fast it is")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all samples there")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    jails = measure_jails(size)
    overruns = measure_overruns(size)
    audit = measure_audit(size)
    programs = measure_programs(size["programs"], size["program_overruns"])
    collected = measure(size)
    print_tables(collected, jails, overruns, audit, size)
    print_programs(programs)
    if options.json:
        options.json.write_text(json.dumps({"size": size, "kernels": collected, "jails": jails,
                                            "overruns": overruns, "audit": audit, "programs": programs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
