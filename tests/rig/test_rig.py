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

INSIDE = "/host/cellblock/tests/rig/inside"
# On a file system as people have it, which /tmp here is not: root's jails need idmapped mounts, and overlays have none.
# A directory for each user: the tests' temporary files must not be another's.
MAKE = "mkdir -p -m 777 /host/tmp/tester /host/tmp/root"
IN_PLACE = "export TMPDIR=/host/tmp/$(id -un) HOME=${HOME:-/root} && cd /host/cellblock/tests"
JAIL = f"{IN_PLACE} && /host/cellblock/build/dev/bin/jail_test --gtest_brief=1"


def checks(chosen, within=""):
    """Those tests, run by a command."""
    return (f"{IN_PLACE} && {within} ../.venv/bin/python -m pytest -c pytest.ini rig/inside/checks.py"
            f" -p no:cacheprovider -q -o timeout=240 -k {chosen}")


def confined(mode):
    return checks({"container": "TestContainersFilter", "privileges": "TestNoPrivileges", "watched": "TestWatched"}[mode],
                  f"/usr/bin/python3 {INSIDE}/confine.py {mode}")


def contained(view, user, chosen):
    return checks(chosen, f"{INSIDE}/container.sh {view} {user}")


BOOTS = {
    "": [
        Stage("user-kernel", "tester", checks("TestFull"), MAKE),
        Stage("root-kernel", "root", checks("TestFull")),
        Stage("user-jail", "tester", JAIL),
        Stage("root-jail", "root", f"{JAIL} --gtest_filter='*Root*'"),
        Stage("no-delegation", "tester-alone", checks("TestNoDelegation")),
        Stage("container-masked-user", "root", contained("masked", "tester", "TestMaskedProc")),
        Stage("container-shown-root", "root", contained("shown", "root", "TestContainersRoot")),
        Stage("container-shown-user", "root", contained("shown", "tester", "TestShownProc")),
        Stage("containers-filter", "tester", confined("container")),
        Stage("no-privileges", "tester", confined("privileges")),
        Stage("watched", "tester", confined("watched")),
        Stage("forbidden-user-namespaces", "tester", checks("TestForbiddenUserNamespaces"),
              "sysctl -q kernel.unprivileged_userns_clone=0"),
        Stage("no-user-namespaces", "tester", checks("TestNoUserNamespaces"),
              "sysctl -q kernel.unprivileged_userns_clone=1 user.max_user_namespaces=0"),
        Stage("no-user-namespaces-root", "root", checks("TestNoUserNamespaces")),
    ],
    "lsm=capability": [
        Stage("no-landlock", "tester", checks("TestNoLandlock"), MAKE),
        Stage("no-landlock-root", "root", checks("TestNoLandlock")),
    ],
    "cgroup_disable=memory": [
        Stage("no-memory-controller", "tester", checks("TestNoMemoryController"), MAKE),
        Stage("no-memory-controller-root", "root", checks("TestNoMemoryController")),
    ],
    "systemd.unified_cgroup_hierarchy=0": [
        Stage("version-1-user", "tester", checks("told_to_ask"), MAKE),
        Stage("version-1-root", "root", checks("hard_limits")),
        Stage("version-1-delegated", "tester", checks("hard_limits"),
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
