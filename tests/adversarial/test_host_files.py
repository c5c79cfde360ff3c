"""Attack: read or change files of the host.
Barrier: a mount namespace with a root of its own, in which only system directories, the Python environment and the
notebook's directory are shown, read-only and recursively so.
"""

import os
import stat

import pytest

from backends import READ_ONLY

ATTEMPT = """
import errno
def attempt(action):
    try:
        return ('got', action())
    except OSError as error:
        return errno.errorcode[error.errno]
"""


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/root/.bashrc", "/root/.ssh/id_rsa",
                                  "/var/log/dpkg.log", "/boot", "/var/lib/dpkg/status", "/run/systemd", "/etc/ssh",
                                  "/sys/kernel", "/proc/kcore", "/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/kvm",
                                  "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/tasks"])
def test_files_of_the_system_are_not_there(jailed, path):
    kernel = jailed()
    cell = kernel.run(f"{ATTEMPT}\nimport os\nattempt(lambda: os.listdir({path!r}) if os.path.isdir({path!r}) "
                      f"else open({path!r}, 'rb').read(16))")
    assert cell.result in ("'ENOENT'", "'EACCES'", "'EPERM'", "('got', b'')", "('got', [])"), cell


def test_home_and_neighbouring_directories_are_not_there(jailed, guarded):
    kernel = jailed()
    (kernel.home / ".ssh").mkdir()
    (kernel.home / ".ssh" / "id_rsa").write_text(guarded.SECRET)
    for path in (kernel.home / ".ssh" / "id_rsa", guarded.files[0], kernel.connection_file):
        cell = kernel.run(f"{ATTEMPT}\nattempt(lambda: open({str(path)!r}).read())")
        assert cell.result == "'ENOENT'", cell


def test_no_secret_can_be_found_by_searching(jailed, guarded):
    kernel = jailed()
    (kernel.home / "notes").write_text(guarded.SECRET)
    cell = kernel.run(f"""
import os
found = []
for place, _, names in os.walk('/'):
    if place.startswith(('/proc', '/sys')):
        continue
    found += [os.path.join(place, name) for name in names if name in ('id_rsa', 'notes', {kernel.connection_file.name!r})
              and not place.startswith(('/usr', '/lib'))]
found""", timeout=90)
    assert cell.result == "[]", cell


@pytest.mark.parametrize("place", ["/", "/usr", "/usr/bin", "/etc", "/lib", "/bin", "/opt", "/var", "/home", "/root"])
def test_system_directories_cannot_be_written(jailed, place):
    cell = jailed().run(f"{ATTEMPT}\nattempt(lambda: open({place + '/planted'!r}, 'w').write('x'))")
    assert cell.result in ("'EROFS'", "'ENOENT'", "'EACCES'", "'EPERM'"), cell


def test_the_environment_cannot_be_written(jailed, backend):
    cell = jailed().run(f"{ATTEMPT}\nimport sys, IPython, os\nplaces = [sys.prefix, os.path.dirname(IPython.__file__), "
                        "os.path.dirname(sys.modules['__main__'].__file__) if hasattr(sys.modules['__main__'], '__file__') else sys.prefix]\n"
                        "[attempt(lambda: open(p + '/planted', 'w').write('x')) for p in places]")
    assert set(eval(cell.result)) <= READ_ONLY[backend], cell


def test_the_notebook_directory_is_read_only(jailed, backend):
    kernel = jailed()
    note = kernel.cwd / "data.csv"
    note.write_text("a,b")
    before = note.stat()
    assert kernel.run("open('data.csv').read()").result == "'a,b'"
    cell = kernel.run(f"{ATTEMPT}\nimport os\n[attempt(lambda: open('data.csv', 'w')), attempt(lambda: open('new', 'w')), "
                      "attempt(lambda: os.unlink('data.csv')), attempt(lambda: os.mkdir('d')), "
                      "attempt(lambda: os.chmod('data.csv', 0o777)), attempt(lambda: os.utime('data.csv'))]")
    assert set(eval(cell.result)) <= READ_ONLY[backend], cell
    assert sorted(os.listdir(kernel.cwd)) == ["data.csv"] and note.read_text() == "a,b"
    assert (note.stat().st_mode, note.stat().st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_the_notebook_directory_can_be_left_out(jailed):
    kernel = jailed("--memory=256MiB", "--notebook-dir=none")
    (kernel.cwd / "data.csv").write_text("a,b")
    cell = kernel.run(f"{ATTEMPT}\n[attempt(lambda: open('data.csv')), attempt(lambda: open({str(kernel.cwd / 'data.csv')!r}))]")
    assert cell.result == "['ENOENT', 'ENOENT']", cell


def test_symbolic_links_do_not_lead_out(jailed, guarded):
    kernel = jailed()
    os.symlink(guarded.files[0], kernel.cwd / "link")
    os.symlink("/", kernel.cwd / "root")
    cell = kernel.run(f"{ATTEMPT}\n[attempt(lambda: open('link').read()), attempt(lambda: open('root' + {str(guarded.files[0])!r}).read())]")
    assert cell.result == "['ENOENT', 'ENOENT']", cell


def test_climbing_up_ends_at_the_jails_own_root(jailed, guarded):
    cell = jailed().run(f"{ATTEMPT}\nimport os\nos.chdir('/')\n[attempt(lambda: open('../' * 40 + {str(guarded.files[0])[1:]!r}).read()), "
                        "attempt(lambda: os.chroot('/tmp'))]")
    assert cell.result == "['ENOENT', 'EPERM']", cell


def test_mounts_cannot_be_made_writable(jailed):
    cell = jailed().run("""
import ctypes, errno
c = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT, MS_BIND = 32, 4096
answers = []
for target in (b'/usr', b'/', b'/etc'):
    status = c.mount(None, target, None, MS_REMOUNT | MS_BIND, None)
    answers.append((status, errno.errorcode[ctypes.get_errno()]))
answers""")
    assert cell.result == "[(-1, 'EPERM'), (-1, 'EPERM'), (-1, 'EPERM')]", cell


def test_no_file_with_rights_of_others_can_be_made(jailed):
    kernel = jailed()
    cell = kernel.run(f"{ATTEMPT}\nimport os\nopen('/tmp/x', 'w').close()\n"
                      "[attempt(lambda: os.chmod('/tmp/x', 0o4755)), attempt(lambda: os.chmod('/tmp/x', 0o2755)), "
                      "attempt(lambda: os.mknod('/tmp/dev', 0o020666, os.makedev(1, 1))), os.stat('/tmp/x').st_mode]")
    *answers, mode = eval(cell.result)
    assert answers == ["EPERM", "EPERM", "EPERM"], cell
    assert not mode & (stat.S_ISUID | stat.S_ISGID)


def test_programs_that_raise_rights_do_not(jailed):
    cell = jailed().run("""
import glob, os, subprocess
raised = []
for program in ('su', 'sudo', 'mount', 'newuidmap', 'passwd', 'pkexec', 'chsh'):
    for path in glob.glob(f'/usr/bin/{program}'):
        try:
            done = subprocess.run([path], stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            continue
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
status['NoNewPrivs'].strip(), int(status['CapEff'], 16)""")
    assert cell.result == "('1', 0)", cell
