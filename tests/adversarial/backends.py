"""Which isolation backends are attacked by which file, and which attacks end otherwise with which backend, and why."""

import os

# Those that try to get out, to take more than is allowed, or to stay: the whole suite is long enough without a second
# time. CELLBLOCK_BACKENDS=bwrap (or native,bwrap) makes all attacks against those named.
ATTACKED_TWICE = {"test_host_files", "test_proc", "test_syscalls", "test_network", "test_processes", "test_own_interpreter",
                  "test_backend"}

# Name of the test → why bubblewrap's jail does not withstand it. Anything else is a failure.
DIFFERENCES = {
    "test_devices_are_few_and_harmless": "bubblewrap's /dev has core besides, a link to the masked /proc/kcore",
    "test_inodes_are_bounded": "bubblewrap cannot set the number of files of a tmpfs; their memory is limited",
}


def backends_of(module):
    asked = os.environ.get("CELLBLOCK_BACKENDS")
    if asked:
        return asked.split(",")
    return ["native", "bwrap"] if module.rsplit(".", 1)[-1] in ATTACKED_TWICE else ["native"]
