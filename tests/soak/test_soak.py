"""Promise: however often kernels are restarted, interpreters lost and limits hit, nothing piles up: no descriptor, thread,
process, mount, cgroup, file, and no memory of the kernel process. Nor do runs of single programs leave any.

Takes minutes, so it runs only by name: `./test soak`. SOAK_RESTARTS, SOAK_HITS and SOAK_RUNS in the environment choose another size;
a few of each run in the suite `adversarial`, for root and for an ordinary user.
"""

import json
import os
import time
from collections import Counter

import psutil
import pytest
from jupyter_client.manager import KernelManager

from support import host, leaks
from support.host import Family
from support.kernel import Kernel
from support.runs import Runner

RESTARTS = int(os.environ.get("SOAK_RESTARTS", "200"))  # Half of them of the kernel, half of the interpreter
HITS = int(os.environ.get("SOAK_HITS", "1000"))
RUNS = int(os.environ.get("SOAK_RUNS", "1000"))
PER_ROUND = 25  # Hits between two looks at everything that is held
AT_MOST = 3600


@pytest.fixture(scope="module")
def figures(artifacts):
    """Filled by the tests, kept for people."""
    found = {}
    yield found
    (artifacts / "soak.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


@pytest.mark.timeout(AT_MOST)
def test_restarts_of_the_kernel_leave_nothing(spec, tmp_path, figures):
    """As a front end restarts: politely, and every other time at once, by killing the kernel process. What a killed one
    could not remove itself, the next one has to."""
    places = {name: tmp_path / name for name in ("TMPDIR", "HOME", "XDG_RUNTIME_DIR")}
    for place in places.values():
        place.mkdir()
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}}
    manager = KernelManager(kernel_name=spec.name, connection_file=str(tmp_path / "kernel.json"))
    began = time.monotonic()
    manager.start_kernel(cwd=str(tmp_path), env=environment)
    families = []
    try:
        for number in range(RESTARTS // 2):
            client = manager.blocking_client()
            client.start_channels()
            client.wait_for_ready(timeout=60)
            client.execute("1 + 1", reply=True, timeout=60)
            families.append(Family(manager.provisioner.process.pid))
            families[-1].look()
            client.stop_channels()
            manager.restart_kernel(now=number % 2 == 1)
            # That of the kernel that runs now, perhaps not made yet, is the only one that is in use.
            assert families[-1].leftovers(with_cgroups=False) == []
            unused = leaks.cgroups_of(*(family.pid for family in families[:-1]))
            assert not unused, f"after restart {number}: {unused}"
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.stop_channels()
        families.append(Family(manager.provisioner.process.pid))
        families[-1].look()
    finally:
        manager.shutdown_kernel()
    assert [left for family in families for left in family.leftovers()] == []
    assert leaks.cgroups_of(*(family.pid for family in families)) == set()
    assert [path for place in places.values() for path in place.rglob("*")] == []
    figures["restarts of the kernel"] = {"count": RESTARTS // 2, "seconds": round(time.monotonic() - began)}


@pytest.mark.timeout(AT_MOST)
def test_lost_interpreters_and_limits_leave_nothing_in_one_kernel(spec, tmp_path, installation, figures):
    """One kernel, with its audit log, goes through all of them. Its memory is looked at once the limits are warm."""
    log = tmp_path / "audit"
    kernel = Kernel((*spec.argv, *leaks.LIMITS, f"--audit={log}"), env={**spec.env, **leaks.ENVIRONMENT},
                    interrupt_mode=spec.interrupt_mode)
    process = psutil.Process(kernel.process.pid)
    began = time.monotonic()
    try:
        leaks.warm_up(kernel)
        before, resident = leaks.settled(kernel), process.memory_info().rss
        memory, hits = [leaks.anonymous_memory(process.pid)], Counter()
        for number in range(RESTARTS // 2):
            leaks.lose_interpreter(kernel, number)
            memory.append(leaks.anonymous_memory(process.pid))
        assert leaks.settled(kernel, before).beyond(before) == []
        grown_by_losses = leaks.growth(memory)
        memory = [leaks.anonymous_memory(process.pid)]
        for number in range(HITS):
            hits[leaks.hit_limit(kernel, number)] += 1
            if number % PER_ROUND == PER_ROUND - 1:
                memory.append(leaks.anonymous_memory(process.pid))
                assert leaks.settled(kernel, before).beyond(before) == [], f"after {number + 1} hits"
        assert leaks.settled(kernel, before).beyond(before) == []
        grown_by_hits = leaks.growth(memory)
        figures["one kernel"] = {
            "interpreters lost": RESTARTS // 2, "limits hit": dict(hits), "seconds": round(time.monotonic() - began),
            "resident KiB before": resident >> 10, "resident KiB after": process.memory_info().rss >> 10,
            "growth KiB by losses": round(grown_by_losses), "growth KiB by hits": round(grown_by_hits)}
        assert set(hits) == set(leaks.HITS)
        assert grown_by_losses <= leaks.GROWTH and grown_by_hits <= leaks.GROWTH, memory
        kernel.close()
    finally:
        kernel.discard()
    checked = installation.run("audit", "verify", "--path", str(log), "--json")
    assert json.loads(checked.stdout)["ok"], checked.stdout


@pytest.mark.timeout(AT_MOST)
def test_runs_of_programs_leave_nothing(installation, tmp_path, figures):
    """Every tenth is killed itself, every tenth meets its time, every tenth its memory."""
    runner = Runner(installation.binary, tmp_path)
    program = ["--lang", "python", "--python", "/usr/bin/python3", "--code"]
    runner(*program, "pass")
    mounts, places = host.mounts(), sorted(path for path in tmp_path.rglob("*"))
    pids = []
    began = time.monotonic()
    for number in range(RUNS):
        kind = {3: "killed", 5: "time", 7: "memory"}.get(number % 10)
        if kind == "killed":
            process = runner.start(*program, "print('x', flush=True)\nwhile True: pass")
            process.stdout.readline()
            process.kill()
            process.communicate()
            pids.append(process.pid)
        elif kind == "time":
            assert runner(*program, "while True: pass", "--timeout", "50ms").status == 124
        elif kind == "memory":
            assert runner(*program, "x = bytes(1)\nwhile True: x += x", "--memory", "64MiB").status in (1, 137)
        else:
            assert runner(*program, "pass").status == 0
    assert runner(*program, "pass").status == 0
    assert host.mounts() == mounts
    assert leaks.cgroups_of(*pids) == set()
    assert sorted(path for path in tmp_path.rglob("*")) == places
    assert psutil.Process().children(recursive=True) == []
    figures["runs of programs"] = {"count": RUNS, "seconds": round(time.monotonic() - began)}
