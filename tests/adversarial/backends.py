"""Which isolation backends are attacked by which file, and which attacks end otherwise with which backend, and why."""

import os
import shutil

# Those that try to get out, to take more than is allowed, or to stay: the whole suite is long enough without a second
# time. CELLBLOCK_BACKENDS=bwrap (or native,runsc) makes all attacks against those named.
ATTACKED_TWICE = {"test_host_files", "test_proc", "test_syscalls", "test_network", "test_processes", "test_own_interpreter",
                  "test_backend"}
# Against gVisor, too, whose kernels take long to start: where it is installed. `./test gvisor` makes the others.
ATTACKED_THRICE = {"test_backend", "test_network"}

NOT_ASKED = "gVisor's kernel has no listeners of filters, nor RLIMIT_DATA for mappings: what is too large is met in use"
NO_LISTENER = "gVisor's kernel has no listeners of filters: refused calls are not recorded"

# How what is read-only refuses to be changed. gVisor asks first whose it is.
READ_ONLY = {"native": {"EROFS"}, "bwrap": {"EROFS"}, "runsc": {"EROFS", "EACCES", "EPERM"}}

# Name of the test, or with one of its parameters → why the backend's jail does not withstand it. Anything else is a failure.
DIFFERENCES = {
    "bwrap": {
        "test_devices_are_few_and_harmless": "bubblewrap's /dev has core besides, a link to the masked /proc/kcore",
        "test_inodes_are_bounded": "bubblewrap cannot set the number of files of a tmpfs; their memory is limited",
    },
    "runsc": {
        "test_what_was_tried_is_in_the_log_of_the_kernel": NO_LISTENER,
        "test_what_earlier_cells_left_behind_is_named_when_a_limit_is_hit": NOT_ASKED,
        "test_one_allocation_that_is_too_large_is_a_memory_error": NOT_ASKED,
        "test_the_next_allocation_counts_what_is_in_use_already": NOT_ASKED,
        "test_a_child_whose_allocation_is_refused_ends_alone": NOT_ASKED,
        "test_nothing_piles_up_in_the_kernel_process": "one of the limits that it hits is that of processes, see the fork bomb",
        "test_devices_are_few_and_harmless": "gVisor's /dev has tty, fuse and net/tun of its own besides; nothing in it is the host's",
        "test_pid_1_shows_nothing_of_itself[fd]": "gVisor lists the numbers of pid 1's descriptors; they cannot be opened",
        "test_pid_1_cannot_be_hurt": "gVisor protects pid 1 of a container from nobody inside: a cell can end its own jail",
        "test_a_fork_bomb_is_refused_at_the_limit": "gVisor gives memory in pieces of up to 2 MiB: many processes meet that limit first",
    },
}


def difference(backend, test, parameter):
    known = DIFFERENCES.get(backend, {})
    return known.get(test) or known.get(f"{test}[{parameter}]")


def gvisor_is_installed():
    return shutil.which("runsc", path="/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin") is not None


def backends_of(module):
    asked = os.environ.get("CELLBLOCK_BACKENDS")
    if asked:
        return asked.split(",")
    name = module.rsplit(".", 1)[-1]
    backends = ["native", "bwrap"] if name in ATTACKED_TWICE else ["native"]
    return [*backends, "runsc"] if name in ATTACKED_THRICE else backends
