"""./bench runs, and nothing was lost. How fast anything is, is not a test: that depends on what else the machine does."""

import json
import subprocess
import sys

import pytest

from support.installation import ROOT

pytestmark = [pytest.mark.cellblock_only, pytest.mark.timeout(300)]


def test_the_bench_measures_every_row_and_loses_nothing(tmp_path):
    done = subprocess.run([sys.executable, "tests/bench/run.py", "--quick", "--json", str(tmp_path / "samples.json")],
                          cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    samples = json.loads((tmp_path / "samples.json").read_text())
    ours = samples["kernels"]["cellblock"]
    size = samples["size"]
    assert ours["prints_arrived"] == [size["flood"]] and ours["messages_arrived"] == [size["displays_flood"]]
    assert ours["prints_idle"] == [True] and ours["messages_idle"] == [True]
    writers = samples["audit"]["writers"]
    assert writers["processes"] == 50 and writers["found"] == writers["appended"] == 50 * 2 * size["records_of_cells"] // 10
    for row, values in {**ours, **samples["kernels"]["ipykernel"], **samples["jails"],
                        **samples["overruns"]}.items():
        assert values, f"no samples of {row}"
    assert "spawn to first execute_reply" in done.stdout and "jail alone" in done.stdout and "deaf" in done.stdout
