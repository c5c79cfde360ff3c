"""The two kinds of people who start kernels: root, and an ordinary user whom root's tests can become."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class User:
    name: str
    uid: int
    gid: int


def ordinary_user():
    """Whoever owns the checkout or called sudo, when that is not root; else `nobody`."""
    candidates = [os.environ.get("CELLBLOCK_TEST_USER"), os.environ.get("SUDO_USER"), "nobody"]
    for name in filter(None, candidates):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return User(name, entry.pw_uid, entry.pw_gid)
    raise LookupError("no ordinary user on this machine: set CELLBLOCK_TEST_USER to a user's name")


def can_reach(user, path):
    """Whether `user` may search every directory above `path` (group rights are not considered: we drop them)."""
    for parent in Path(path).resolve().parents:
        entry = parent.stat()
        bit = 0o100 if entry.st_uid == user.uid else 0o001
        if not entry.st_mode & bit:
            return False
    return True
