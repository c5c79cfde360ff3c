"""Runs as root and as an ordinary user; after each test nothing of them is left."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil
import pytest

from support.runs import Runner
from support import host
from support.users import can_reach, ordinary_user


def _cgroups():
    """Of processes that have ended. Others on this host may run jails, too."""
    found = set()
    # Not rglob(): directories vanish while it looks.
    for directory, names, _ in os.walk(host.CGROUP_ROOT):
        found |= {Path(directory, name) for name in names if name.startswith("cellblock-") and name.count("-") == 3}
    return {path for path in found if not psutil.pid_exists(int(path.name.split("-")[1]))}


@pytest.fixture(scope="session", params=["root", "user"])
def runner(request, installation, tmp_path_factory):
    if request.param == "root":
        if os.geteuid() != 0:
            pytest.skip("needs root")
        yield Runner(installation.binary, tmp_path_factory.mktemp("run"))
        return
    user = ordinary_user() if os.geteuid() == 0 else None
    directory = tmp_path_factory.mktemp("run-user")
    binary = installation.binary
    if user:
        installation.delegate_to(user)
        directory = Path(tempfile.mkdtemp(prefix="cellblock-run-"))
        if not can_reach(user, binary):
            build = binary.parent.parent
            for part in ("bin/cellblock", "libexec", "lib"):
                source = build / part
                (directory / part).parent.mkdir(exist_ok=True)
                (shutil.copytree if source.is_dir() else shutil.copy2)(source, directory / part)
            binary = directory / "bin" / "cellblock"
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, user.uid, user.gid)
    yield Runner(binary, directory, user)
    if user:
        shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def nothing_is_left():
    mounts, cgroups = host.mounts(), _cgroups()
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    assert host.mounts() == mounts
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= children
    assert _cgroups() <= cgroups
