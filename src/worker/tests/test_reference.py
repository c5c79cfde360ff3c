"""Message for message as ipykernel: the scenarios give what was recorded from ipykernel itself."""

import json
from pathlib import Path

import IPython
import pytest
from normal import normal_cell
from scenarios import SCENARIOS

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())
COMMS = ("comm_open", "comm_msg", "comm_close")


def test_reference_has_all_scenarios():
    assert {name: len(steps) for name, steps in REFERENCE["scenarios"].items()} == \
        {name: len(steps) for name, steps in SCENARIOS.items()}


@pytest.mark.skipif(IPython.version_info[:2] != tuple(map(int, REFERENCE["ipython"].split(".")[:2])),
                    reason=f"recorded with IPython {REFERENCE['ipython']}, this is {IPython.__version__}: its texts differ")
@pytest.mark.parametrize("name", SCENARIOS)
def test_as_ipykernel(start_worker, name):
    worker = start_worker()
    for step, expected in zip(SCENARIOS[name], REFERENCE["scenarios"][name]):
        assert json.loads(json.dumps(run(worker, step))) == expected, step


def run(worker, step):
    code, changes = step if isinstance(step, tuple) else (step, {})
    if isinstance(step, dict):
        cell = worker.ask(step["msg_type"], step["content"])
    else:
        cell = worker.run(code, timeout=60, **changes)
    published = [(f.msg_type, f.content, f.metadata, len(f.buffers)) for f in cell.published]
    if isinstance(step, dict) and step["msg_type"] in COMMS:
        return normal_cell(published, {}, {})  # Jupyter has no reply here; ours only tells the kernel that it is done.
    return normal_cell(published, cell.reply, cell.metadata)
