"""Attack: reach for system calls that escapes are made of.
Barrier: no capabilities, no new privileges, namespaces that cannot be nested, and an allowlist of system calls:
what it does not know does not exist (ENOSYS), what smells of escape is refused (EPERM), and the interpreter lives on.
"""

import pytest

CALL = """
import ctypes, errno, platform
c = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    value = c.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    return 'allowed' if value >= 0 else errno.errorcode[ctypes.get_errno()]
"""

# Numbers of x86_64. Arguments are such that the call would do something if it were let through.
REFUSED = {
    "unshare-user": (272, 0x10000000), "unshare-mount": (272, 0x00020000), "setns": (308, 0, 0),
    "ptrace-traceme": (101, 0, 0, 0, 0), "process_vm_readv": (310, 1, 0, 0, 0, 0, 0), "bpf": (321, 0, 0, 0),
    "io_uring_setup": (425, 8, 0), "keyctl": (250, 0, -3, 0), "add_key": (248, 0, 0, 0, 0, 0),
    "request_key": (249, 0, 0, 0, 0), "userfaultfd": (323, 0), "perf_event_open": (298, 0, 0, -1, -1, 0),
    "init_module": (175, 0, 0, 0), "kexec_load": (246, 0, 0, 0, 0), "pivot_root": (155, 0, 0), "umount2": (166, 0, 0),
    "mount": (165, 0, 0, 0, 0, 0), "fsopen": (430, 0, 0), "open_tree": (428, -100, 0, 1), "move_mount": (429, 0, 0, 0, 0, 0),
    "swapon": (167, 0, 0), "reboot": (169, 0xfee1dead, 0x28121969, 0), "settimeofday": (164, 0, 0), "iopl": (172, 3),
    "open_by_handle_at": (304, 0, 0, 0), "pidfd_getfd": (438, 0, 0, 0), "kcmp": (312, 1, 1, 0, 0, 0),
    "clone3": (435, 0, 0), "openat2": (437, -100, 0, 0, 0), "quotactl": (179, 0, 0, 0, 0), "acct": (163, 0),
    "lookup_dcookie": (212, 0, 0, 0), "vhangup": (153,), "syslog": (103, 3, 0, 0), "sethostname": (170, 0, 0),
    "clone-newuser": (56, 0x10000000 | 17, 0, 0, 0, 0), "chroot": (161, 0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_escape_shaped_calls_are_refused(jailed_once, name):
    number, *arguments = REFUSED[name]
    cell = jailed_once.run(f"{CALL}\ncall({number}, *{arguments})")
    assert cell.result in ("'EPERM'", "'ENOSYS'"), cell


@pytest.mark.parametrize("number", [650, 1023, 2**20])
def test_unknown_calls_do_not_exist(jailed_once, number):
    assert jailed_once.run(f"{CALL}\ncall({number})").result == "'ENOSYS'"


def test_typing_into_a_terminal_is_refused(jailed_once):
    """TIOCSTI puts characters into a terminal's input, as if typed; the upper half of the number is ignored by Linux."""
    cell = jailed_once.run(f"{CALL}\n[call(16, fd, request, ctypes.c_char_p(b'x')) for fd in (0, 1, 2) "
                           "for request in (0x5412, 0x100005412, 0x541c)]")
    assert set(eval(cell.result)) <= {"EPERM"}, cell


def test_no_capability_is_left_in_any_thread_or_child(jailed_once):
    cell = jailed_once.run("""
import subprocess, threading
def status(path):
    lines = dict(line.split(':', 1) for line in open(path))
    return [int(lines[k], 16) for k in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')] + [lines['NoNewPrivs'].strip(), lines['Seccomp'].strip()]
found = [status('/proc/self/status')]
thread = threading.Thread(target=lambda: found.append(status('/proc/thread-self/status')))
thread.start(); thread.join()
child = subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True).stdout
open('/tmp/child', 'w').write(child)
found.append(status('/tmp/child'))
found""")
    assert eval(cell.result) == [[0, 0, 0, 0, 0, "1", "2"]] * 3, cell


def test_identity_cannot_be_changed(jailed_once):
    cell = jailed_once.run("""
import errno, os
answers = []
for action in (lambda: os.setgroups([0]), lambda: os.setresuid(12345, 12345, 12345), lambda: os.setresgid(12345, 12345, 12345)):
    try:
        action(); answers.append('allowed')
    except OSError as error:
        answers.append(errno.errorcode[error.errno])
answers""")
    assert set(eval(cell.result)) <= {"EPERM", "EINVAL"}, cell


def test_a_foreign_architecture_ends_the_interpreter_with_its_reason(jailed):
    """int 0x80 is the 32-bit door into the kernel, which the filter's numbers do not describe."""
    cell = jailed().run("""
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=7)
page.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')  # mov eax, 20 (getpid); int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()""")
    assert cell.ename == "WorkerCrashed" and "SIG" in cell.error, cell


def test_a_storm_of_refused_calls_changes_nothing(jailed):
    kernel = jailed()
    cell = kernel.run(f"{CALL}\nset(call(272, 0x10000000) for _ in range(20_000))")
    assert cell.result == "{'EPERM'}", cell


@pytest.fixture
def jailed_once(jailed):
    return jailed()


def test_what_was_tried_is_in_the_log_of_the_kernel(jailed_once):
    cell = jailed_once.run(f"{CALL}\n[call(101, 0, 0, 0, 0) for _ in range(3)], call(165, 0, 0, 0, 0, 0)")
    assert cell.result == "(['EPERM', 'EPERM', 'EPERM'], 'EPERM')", cell
    jailed_once.run("1 + 1")
    lines = [line for line in jailed_once.stderr().splitlines() if "refused in the jail" in line]
    assert len(lines) == 1, lines
    assert "ptrace 3 ×" in lines[0] and "mount 1 ×" in lines[0]


def test_a_flood_of_refused_calls_is_interrupted_and_folded(jailed_once):
    flood = f"{CALL}\nimport threading\nprint('go', flush=True)\n" \
            "def storm():\n    while True: call(272, 0x10000000)\n" \
            "threads = [threading.Thread(target=storm, daemon=True) for _ in range(8)]\n" \
            "[t.start() for t in threads]\nimport time; time.sleep(2)\n'still here'"
    assert jailed_once.run(flood).result == "'still here'"
    assert jailed_once.run("6 * 7").result == "42"
