"""Every attack is made twice, against a kernel of root and against one of an ordinary user. Afterwards, whatever it
was: the next cell is answered, the host is as it was, and nothing is left when the kernel has ended.
"""

import os
import pwd
import time

import pytest

from backends import backends_of, difference, gvisor_is_installed
from support.host import Canaries
from support.installation import Installation
from support.kernel import Kernel
from support.users import User, can_reach, ordinary_user

# Small enough that bombs go off quickly, large enough for IPython and a child or two.
SMALL_LIMITS = ("--memory=256MiB", "--processes=64")
ANSWER_WITHIN = 10


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", backends_of(metafunc.module.__name__), scope="session")


def pytest_collection_modifyitems(items):
    # gVisor's jails have one level: a unit test says so.
    items[:] = [item for item in items if not (hasattr(item, "callspec") and item.callspec.params.get("backend") == "runsc"
                                               and item.callspec.params.get("level") == "namespaced")]
    for item in items:
        arguments = item.callspec.params if hasattr(item, "callspec") else {}
        backend = arguments.get("backend")
        if backend == "runsc" and not gvisor_is_installed():
            item.add_marker(pytest.mark.skip(reason="no gVisor on this machine; ./test gvisor installs it"))
        reason = difference(backend, getattr(item, "originalname", item.name), arguments.get("name"))
        if reason:  # strict: a difference that is none any more has to leave the table
            item.add_marker(pytest.mark.xfail(strict=True, reason=reason))


@pytest.fixture(scope="session", params=["root", "user"])
def user(request):
    """Who starts the kernel: None for root, who runs the tests; else an ordinary user."""
    if os.geteuid() != 0:
        if request.param == "root":
            pytest.skip("needs root to attack a kernel of root")
        entry = pwd.getpwuid(os.geteuid())
        return User(entry.pw_name, entry.pw_uid, entry.pw_gid)
    return ordinary_user() if request.param == "user" else None


@pytest.fixture(scope="session")
def reachable_installation(installation, user, tmp_path_factory):
    """Binary and environment where this user can reach them, with cgroups that are theirs."""
    if user is None or user.uid == os.geteuid():
        return installation
    installation.delegate_to(user)
    if can_reach(user, installation.binary) and can_reach(user, installation.python):
        return installation
    base = tmp_path_factory.getbasetemp()
    for directory in (base.parent, base):  # pytest makes them for its own user only
        directory.chmod(0o755)
    copy = tmp_path_factory.mktemp("installation")
    copy.chmod(0o755)
    return installation.copy_to(copy)


@pytest.fixture
def guarded(public_directory, user):
    guard = Canaries(public_directory / "canaries", user)
    yield guard
    guard.close()


@pytest.fixture(scope="session")
def spec_with(reachable_installation: Installation, tmp_path_factory):
    """The kernelspec with these kernel arguments, installed once."""
    prefix = tmp_path_factory.mktemp("kernelspecs")
    installed = {}

    def get(kernel_args):
        if kernel_args not in installed:
            installed[kernel_args] = reachable_installation.install(prefix, f"attacked-{len(installed)}", *kernel_args)
        return installed[kernel_args]

    return get


@pytest.fixture
def jailed(spec_with, guarded, user, backend):
    """Starts kernels with the given limits; the global promises are checked at the end, for each."""
    started = []

    def start(*kernel_args, **options):
        chosen = () if backend == "native" else (f"--backend={backend}",)  # native is what kernels do by themselves
        spec = spec_with((*(kernel_args or SMALL_LIMITS), *chosen))
        identity = user if user is not None and user.uid != os.geteuid() else None
        kernel = Kernel(spec.argv, user=identity, interrupt_mode=spec.interrupt_mode, **options)
        started.append(kernel)
        return kernel

    yield start
    try:
        for kernel in started:
            if not kernel.was_shut_down:
                assert_unharmed(kernel)
        guarded.check()
        for kernel in started:
            kernel.close()
    finally:
        for kernel in started:
            kernel.discard()


def assert_unharmed(kernel):
    began = time.monotonic()
    assert kernel.process.poll() is None, f"the kernel process ended: {kernel.stderr()!r}"
    assert kernel.run("1 + 1", timeout=ANSWER_WITHIN).result == "2"
    assert time.monotonic() - began < ANSWER_WITHIN
