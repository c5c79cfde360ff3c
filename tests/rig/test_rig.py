"""Hosts that people have and this machine is not: systemd with cgroup version 2, and hosts where something is missing.

Each test here is one stage in a booted machine, with a report of the tests that ran there. One boot serves many stages.
"""

import functools
import re

import pytest

from bundle import make_bundle
from machine import Machine, Stage, missing_programs
from support.installation import ROOT

pytestmark = pytest.mark.timeout(1500)  # one boot's stages are charged to the first test that asks for them

CHECKS = "cd /host/cellblock/tests && ../.venv/bin/python -m pytest -c pytest.ini rig/inside/checks.py -p no:cacheprovider -q"
JAIL = "/host/cellblock/build/dev/bin/jail_test --gtest_brief=1"
# A directory of their own: the tests' temporary files must not be another user's.
USER, ROOT_USER = "TMPDIR=/tmp/user", "TMPDIR=/tmp/root"
MAKE = "mkdir -p -m 777 /tmp/user /tmp/root"

BOOTS = {
    "": [
        Stage("user-kernel", "tester", f"{CHECKS} -k TestFull", MAKE),
        Stage("root-kernel", "root", f"{CHECKS} -k TestFull"),
        Stage("user-jail", "tester", JAIL),
        Stage("root-jail", "root", f"{JAIL} --gtest_filter='*Root*'"),
        Stage("no-user-namespaces", "tester", f"{CHECKS} -k TestNoUserNamespaces", "sysctl -q user.max_user_namespaces=0"),
    ],
    "lsm=capability": [
        Stage("no-landlock", "tester", f"{CHECKS} -k TestNoLandlock", MAKE),
        Stage("no-landlock-root", "root", f"{CHECKS} -k TestNoLandlock"),
    ],
    "cgroup_disable=memory": [
        Stage("no-memory-controller", "tester", f"{CHECKS} -k TestNoMemoryController", MAKE),
    ],
    "systemd.unified_cgroup_hierarchy=0": [
        Stage("version-1-user", "tester", f"{CHECKS} -k told_to_ask", MAKE),
        Stage("version-1-root", "root", f"{CHECKS} -k hard_limits"),
        Stage("version-1-delegated", "tester", f"{CHECKS} -k hard_limits",
              "/host/cellblock/build/release/bin/cellblock delegate tester"),
    ],
}
STAGES = {stage.name: arguments for arguments, stages in BOOTS.items() for stage in stages}


@pytest.fixture(scope="module")
def outcome_of(tmp_path_factory):
    if missing := missing_programs():
        pytest.skip(f"the rig needs {', '.join(missing)}")
    machine = Machine(ROOT / "build" / "rig")
    machine.ensure_image()
    bundle = tmp_path_factory.mktemp("rig")
    make_bundle(bundle)

    @functools.cache
    def boot(arguments):
        return machine.boot(bundle, BOOTS[arguments], arguments)

    return lambda name: boot(STAGES[name])[name]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_passes(name, outcome_of):
    outcome = outcome_of(name)
    assert outcome.passed, f"{outcome.status}:\n{outcome.log[-6000:]}"
    # A stage that ran nothing proves nothing.
    assert re.search(r"\b[1-9]\d* (passed|tests? ran)|\d+ tests? from", outcome.log), outcome.log
