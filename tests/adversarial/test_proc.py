"""Attack: use /proc, /sys, /dev or open descriptors to see or touch what lies outside.
Barrier: a /proc of the jail's own pid namespace with masks, a minimal /dev, no /sys, all descriptors closed.
"""

import os

import pytest

ATTEMPT = """
import errno, os
def attempt(action):
    try:
        return ('got', action())
    except OSError as error:
        return errno.errorcode[error.errno]
"""


@pytest.mark.parametrize("name", ["environ", "mem", "maps", "root", "cwd", "fd", "exe"])
def test_pid_1_shows_nothing_of_itself(jailed, name):
    read = "os.listdir" if name == "fd" else "os.readlink" if name in ("root", "cwd", "exe") else "lambda p: open(p, 'rb').read(1)"
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: ({read})('/proc/1/{name}'))")
    assert cell.result in ("'EACCES'", "'EPERM'", "'ENOENT'"), cell


def test_only_processes_of_the_jail_are_seen(jailed):
    kernel = jailed()
    pids = eval(kernel.run("import os; sorted(int(p) for p in os.listdir('/proc') if p.isdigit())").result)
    assert 1 in pids and len(pids) < 10
    names = kernel.run("import os\n[open(f'/proc/{p}/cmdline').read() for p in os.listdir('/proc') if p.isdigit()]").result
    assert "pytest" not in names and str(kernel.connection_file) not in names


@pytest.mark.parametrize("path", ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger",
                                  "/proc/sys/vm/drop_caches", "/proc/sys/user/max_user_namespaces", "/proc/irq/0/smp_affinity"])
def test_switches_of_the_kernel_cannot_be_turned(jailed, path):
    before = open(path, "rb").read() if os.access(path, os.R_OK) and "sys/" in path and "drop" not in path else None
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: open({path!r}, 'w').write('0'))")
    assert cell.result in ("'EROFS'", "'EACCES'", "'ENOENT'", "'EPERM'"), cell
    if before is not None:
        assert open(path, "rb").read() == before


@pytest.mark.parametrize("path", ["/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/proc/kmsg"])
def test_secrets_of_the_kernel_are_masked(jailed, path):
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: open({path!r}, 'rb').read(256).strip(b'0 \\n'))")
    assert cell.result in ("'EACCES'", "'ENOENT'", "'EPERM'", "('got', b'')"), cell


def test_devices_are_few_and_harmless(jailed):
    cell = jailed().run("import os; sorted(os.listdir('/dev'))")
    allowed = {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm", "pts", "ptmx", "tty"}
    assert set(eval(cell.result)) <= allowed, cell


def test_no_foreign_descriptor_is_open(jailed):
    cell = jailed().run("""
import os, stat
kinds = {}
for fd in map(int, os.listdir('/proc/self/fd')):
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        continue
    kinds[fd] = (stat.S_ISDIR(mode), os.readlink(f'/proc/self/fd/{fd}'))
kinds""")
    for fd, (is_directory, target) in eval(cell.result).items():
        assert not is_directory or target.startswith("/proc"), (fd, target)
        assert not target.startswith(("/tmp/kernel-under-test", "/var", "/home", "/root/.")), (fd, target)


def test_directories_cannot_be_escaped_through_descriptors(jailed, guarded):
    cell = jailed().run(f"""{ATTEMPT}
answers = set()
for fd in range(3, 64):
    for path in ('../' * 30 + {str(guarded.files[0])[1:]!r}, {str(guarded.files[0])[1:]!r}):
        answers.add(attempt(lambda: os.open(path, os.O_RDONLY, dir_fd=fd)))
sorted(answers, key=str)""")
    assert "got" not in cell.result, cell


def test_the_binary_of_the_kernel_cannot_be_opened_for_writing(jailed, reachable_installation):
    before = reachable_installation.binary.stat()
    cell = jailed().run(f"{ATTEMPT}\n[attempt(lambda: os.open(f'/proc/{{p}}/exe', os.O_WRONLY)) for p in (1, 'self')]")
    assert "got" not in cell.result, cell
    after = reachable_installation.binary.stat()
    assert (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino)


def test_no_cgroup_can_be_seen_or_changed(jailed):
    cell = jailed().run("""
import os
found = []
for place, names, files in os.walk('/sys'):
    found += [place for name in files if name in ('cgroup.procs', 'tasks')]
(found, [line for line in open('/proc/self/mountinfo') if ' - cgroup' in line])""")
    assert cell.result == "([], [])", cell


def test_the_host_name_is_not_the_hosts(jailed):
    kernel = jailed()
    assert kernel.run("import socket; socket.gethostname()").result.strip("'") != os.uname().nodename
    kernel.run("import socket\ntry: socket.sethostname('evil')\nexcept OSError: pass")
    assert os.uname().nodename != "evil"
