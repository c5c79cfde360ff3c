"""The only reasons for which a test may be skipped, each with the condition that justifies it on this machine.

A skip whose reason is not here, or whose condition does not hold, counts as a failure: a test that silently stops
running protects nobody.
"""

import os
import re
import shutil
import socket


def not_root():
    return os.geteuid() != 0


def no_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return False
    except OSError:
        return True


def no_emulator():
    return shutil.which("qemu-system-x86_64") is None


def absent(program):
    """Where a jail sees programs."""
    return lambda: not any(os.access(f"{directory}/{program}", os.X_OK)
                           for directory in ("/usr/local/bin", "/usr/bin", "/usr/local/go/bin"))


def always():
    return True


# (reason as a pattern, condition, why that is all right)
ALLOWED = (
    (r"needs root\b", not_root, "another user can be tested only by root; CI runs as root"),
    (r"this machine has no IPv6 loopback", no_ipv6, "nothing to bind to"),
    *((rf"no {program} on this machine", absent(program), "one client of allowed network names less")
      for program in ("curl", "node", "javac", "go")),
    (r"no gVisor on this machine", absent("runsc"), "one backend less; ./test gvisor installs it"),
    (r"the rig needs qemu", no_emulator, "without QEMU there are no other hosts to try; CI has it"),
    (r"History range not supported", always,
     "the Jupyter project's suite expects another session number than IPython gives; ranges have a test of ours"),
)


def justification(reason):
    """Why this skip is all right here, None when it is not."""
    for pattern, condition, why in ALLOWED:
        if re.match(pattern, reason) and condition():
            return why
    return None
