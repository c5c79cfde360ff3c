"""Hosts that people have and this machine is not: systemd with cgroup version 2, and hosts where something is missing.

Each test here is one stage in a booted machine, with a report of the tests that ran there. One boot serves many stages.
"""

import functools
import re

import pytest

from bundle import make_bundle
from machine import BOOT_SECONDS, BUILD_SECONDS, DISK_SECONDS, Machine, Stage, missing_programs
from support.installation import ROOT

# Emulation takes ten times the hardware's time and more, beside others on two cores. Waits for kernels scale with it.
SLOW_HOST = 4
INSIDE = "/host/cellblock/tests/rig/inside"
TEST_SECONDS = 200 * SLOW_HOST
# On a file system as people have it, which /tmp here is not: root's jails need idmapped mounts, and overlays have none.
# A directory for each user: the tests' temporary files must not be another's.
IN_PLACE = (f"export TMPDIR=/host/tmp/$(id -un) HOME=${{HOME:-/root}} CELLBLOCK_TESTS_SLOW_HOST={SLOW_HOST}"
            " && cd /host/cellblock/tests")
NO_USER_NAMESPACES = "sysctl -q kernel.unprivileged_userns_clone=1 user.max_user_namespaces=0"
JAIL = f"{IN_PLACE} && /host/cellblock/build/dev/bin/jail_test --gtest_brief=1"


def checks(chosen, within=""):
    """Those tests, run by a command."""
    return (f"{IN_PLACE} && {within} ../.venv/bin/python -m pytest -c pytest.ini rig/inside/checks.py"
            f" -p no:cacheprovider -q -o timeout={TEST_SECONDS} -k '{chosen}'")


def confined(mode):
    return checks({"container": "TestContainersFilter", "privileges": "TestNoPrivileges", "watched": "TestWatched"}[mode],
                  f"/usr/bin/python3 {INSIDE}/confine.py {mode}")


def contained(view, user, chosen):
    return checks(chosen, f"{INSIDE}/container.sh {view} {user}")


def version_one(name, kind):
    return [
        Stage(f"{name}-user", "tester", checks(f"{kind} and told_to_ask")),
        Stage(f"{name}-root", "root", checks(f"{kind} and hard_limits")),
        Stage(f"{name}-delegated", "tester", checks(f"{kind} and hard_limits"),
              "/host/cellblock/build/release/bin/cellblock delegate tester"),
    ]


BOOTS = {
    "": [
        Stage("user-kernel", "tester", checks("TestFullLevel and not InDetail")),
        Stage("user-kernel-in-detail", "tester", checks("TestFullLevelInDetail"), seconds=1500),
        Stage("root-kernel", "root", checks("TestFullLevel"), seconds=1500),
        Stage("user-jail", "tester", f"{JAIL} --gtest_filter='-*/Root*:*/BwrapRoot*'", seconds=1500),
        Stage("root-jail", "root", f"{JAIL} --gtest_filter='*Root*'", seconds=1500),
        Stage("no-delegation", "tester-alone", checks("TestNoDelegation")),
        Stage("container-masked-user", "root", contained("masked", "tester", "TestMaskedProc")),
        Stage("container-shown-root", "root", contained("shown", "root", "TestContainersRoot")),
        Stage("container-shown-user", "root", contained("shown", "tester", "TestShownProc")),
        Stage("container-with-bus", "root", contained("with-bus", "root", "TestForeignBus")),
        Stage("containers-filter", "tester", confined("container")),
        Stage("no-privileges", "tester", confined("privileges")),
        Stage("watched", "tester", confined("watched")),
        Stage("forbidden-user-namespaces", "tester", checks("TestForbiddenUserNamespaces"),
              "sysctl -q kernel.unprivileged_userns_clone=0"),
        Stage("no-user-namespaces", "tester", checks("TestNoUserNamespaces"),
              NO_USER_NAMESPACES),
        Stage("no-user-namespaces-root", "root", checks("TestNoUserNamespaces"), NO_USER_NAMESPACES),
    ],
    "lsm=capability": [
        Stage("no-landlock", "tester", checks("TestNoLandlock")),
        Stage("no-landlock-root", "root", checks("TestNoLandlock")),
    ],
    "cgroup_disable=memory": [
        Stage("no-memory-controller", "tester", checks("TestNoMemoryController")),
        Stage("no-memory-controller-root", "root", checks("TestNoMemoryController")),
    ],
    "systemd.unified_cgroup_hierarchy=0": version_one("hybrid", "TestHybrid"),
    "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1":
        version_one("version-1", "TestVersionOneAlone"),
}
STAGES = {stage.name: arguments for arguments, stages in BOOTS.items() for stage in stages}
# What ./test runs unasked: one boot, in which ordinary users have what most of them have, and what containers and
# administrators take away.
UNASKED = ("user-kernel", "no-delegation", "container-masked-user", "container-shown-user", "containers-filter",
           "no-privileges", "watched", "forbidden-user-namespaces", "no-user-namespaces")
# One boot's stages are charged to the first test that asks for them.
LONGEST_BOOT = BOOT_SECONDS + max(sum(stage.seconds for stage in stages) for stages in BOOTS.values())


@pytest.fixture(scope="module")
def outcome_of(request, tmp_path_factory):
    if missing := missing_programs():
        pytest.skip(f"the rig needs {', '.join(missing)}")
    chosen = {item.callspec.params["name"] for item in request.session.items if item.path == request.path}
    machine = Machine(ROOT / "build" / "rig")
    machine.ensure_image()
    bundle = tmp_path_factory.mktemp("rig")
    make_bundle(bundle)

    @functools.cache
    def boot(arguments):
        return machine.boot(bundle, [stage for stage in BOOTS[arguments] if stage.name in chosen], arguments)

    return lambda name: boot(STAGES[name])[name]


@pytest.mark.timeout(BUILD_SECONDS + 2 * DISK_SECONDS + LONGEST_BOOT)
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.unasked if name in UNASKED else ())
                                  for name in STAGES])
def test_a_stage_passes(name, outcome_of):
    outcome = outcome_of(name)
    assert outcome.passed, f"{outcome.status}:\n{outcome.log[-6000:]}"
    # A stage that ran nothing proves nothing.
    assert re.search(r"\b[1-9]\d* passed|PASSED  \] [1-9]", outcome.log), outcome.log
