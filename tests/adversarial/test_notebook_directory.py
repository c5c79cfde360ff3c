"""Attack: change, fill or leave the notebook's directory where cells may write beside the notebook (cow, rw).
Barrier: an overlay whose upper layer is a file system of its own with a size; what it holds is recorded and carried
over by the kernel process, which follows no link, carries no privilege, and leaves protected names behind.
"""

import json
import os
import stat
import subprocess

import pytest

COW = ("--memory=256MiB", "--processes=64", "--scratch=8MiB", "--notebook-dir=cow")
RW = ("--memory=256MiB", "--processes=64", "--scratch=8MiB", "--notebook-dir=rw")


def command(installation, kernel, *arguments):
    """Runs a command of Cellblock as the kernel's user, in the notebook's directory."""
    identity = {"user": kernel.user.uid, "group": kernel.user.gid, "extra_groups": []} if kernel.user else {}
    return subprocess.run([str(installation.binary), *arguments], cwd=kernel.cwd, capture_output=True, text=True,
                          env={**os.environ, "HOME": str(kernel.home), "XDG_STATE_HOME": ""}, timeout=60, **identity)


def diff(installation, kernel):
    done = command(installation, kernel, "diff", "--json")
    assert done.returncode == 0, done.stderr
    return {change["path"]: change for entry in json.loads(done.stdout) for change in entry["changes"]}


def put(kernel, name, text):
    path = kernel.cwd / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if kernel.user:
        for made in (path, *path.parents):
            if made == kernel.cwd:
                break
            os.chown(made, kernel.user.uid, kernel.user.gid)
    return path


def state_of(directory):
    return {str(path.relative_to(directory)): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_uid,
                                               path.read_bytes() if path.is_file() else None)
            for path in sorted(directory.rglob("*"))}


def test_the_hosts_files_stay_as_they_are(jailed, reachable_installation):
    kernel = jailed(*COW)
    put(kernel, "data.csv", "a,b")
    put(kernel, "tree/file", "old")
    before = state_of(kernel.cwd)
    cell = kernel.run("""
import os, shutil, stat
open('data.csv', 'a').write('evil')
os.chmod('data.csv', 0o777)
shutil.rmtree('tree')
os.mkdir('tree')
open('tree/other', 'w').write('evil')
os.truncate('data.csv', 3)
os.utime('data.csv', (1, 1))
os.rename('data.csv', 'moved.csv')
os.link('moved.csv', 'linked.csv')
sorted(os.listdir('.'))""")
    assert cell.result == "['linked.csv', 'moved.csv', 'tree']", cell
    assert state_of(kernel.cwd) == before
    found = diff(reachable_installation, kernel)
    assert {path: change["kind"] for path, change in found.items()} == {
        "data.csv": "deleted", "linked.csv": "added", "moved.csv": "added", "tree/file": "deleted",
        "tree/other": "added"}


def test_the_disk_cannot_be_filled(jailed):
    kernel = jailed(*RW)
    cell = kernel.run("""
import errno, os
answers = []
try:
    with open('big', 'wb') as file:
        while True:
            file.write(bytes(1 << 20))
except OSError as error:
    answers.append(errno.errorcode[error.errno])
os.unlink('big')
with open('sparse', 'wb') as file:
    file.truncate(1 << 29)
for i in range(64):  # every name would take as much again
    os.link('sparse', f'sparse{i}')
with open('six', 'wb') as file:
    file.write(bytes(range(256)) * 4096 * 6)
for i in range(64):
    os.link('six', f'six{i}')
answers""", timeout=60)
    assert cell.result == "['ENOSPC']", cell
    used = sum(path.stat().st_blocks * 512 for path in kernel.cwd.rglob("*"))
    assert used <= 9 << 20, f"{used} bytes on the host's disk"
    assert "hard link" in cell.stderr, cell


def test_nothing_outside_is_written_or_read(jailed, guarded, reachable_installation):
    kernel = jailed(*RW)
    secret = guarded.files[0]
    put(kernel, "d/file", "old")
    cell = kernel.run(f"""
import os, shutil, socket
os.symlink({str(secret)!r}, 'link')
os.symlink('../../' + {secret.name!r}, 'relative')
os.symlink({str(secret.parent)!r}, 'directory')
shutil.rmtree('d')
os.symlink({str(secret.parent)!r}, 'd')
os.mkfifo('fifo')
socket.socket(socket.AF_UNIX).bind('socket')
open('-rf', 'w').write('x')
open('a\\n\\x1b[2J', 'w').write('x')
open('honest', 'w').write('x')
""")
    assert cell.status == "ok", cell
    names = {path.name for path in kernel.cwd.iterdir()}
    assert {"honest", "-rf", "a\n\x1b[2J"} <= names
    assert not names & {"link", "relative", "directory", "fifo", "socket"}
    assert not (kernel.cwd / "d").is_symlink()
    listed = command(reachable_installation, kernel, "diff")
    assert "symbolic link" in listed.stdout and "\x1b" not in listed.stdout
    # By name neither.
    assert command(reachable_installation, kernel, "apply", "link", "fifo").returncode == 1
    assert not os.path.lexists(kernel.cwd / "link")
    guarded.check()


def test_links_that_change_while_files_are_carried_over_lead_nowhere(jailed, guarded):
    kernel = jailed(*RW)
    victim = guarded.files[0]
    kernel.run(f"""
import os, threading
stop = False
def swap():
    while not stop:
        try:
            os.mkdir('d'); open('d/{victim.name}', 'w').write('evil')
            os.rename('d', 'e'); os.symlink({str(victim.parent)!r}, 'd')
            os.unlink('d'); os.rename('e', 'd')
            os.unlink('d/{victim.name}'); os.rmdir('d')
        except OSError:
            pass
threading.Thread(target=swap, daemon=True).start()""")
    for i in range(20):
        kernel.run(f"open('tick', 'w').write('{i}')")
    kernel.run("stop = True")
    guarded.check()
    assert not (kernel.cwd / "d").is_symlink()


def test_protected_files_stay_apart(jailed, reachable_installation):
    kernel = jailed(*RW)
    hook = put(kernel, ".git/hooks/post-checkout", "honest")
    cell = kernel.run("""
import os
for path in ('.git/hooks/post-checkout', '.git/config', '.env', 'jupyter_server_config.py', 'cellblock.toml',
             'sitecustomize.py', 'x.pth', '.ipynb_checkpoints/n-checkpoint.ipynb', 'other.ipynb', '.vscode/tasks.json'):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    open(path, 'w').write('evil')
open('out.csv', 'w').write('honest')""")
    assert cell.status == "ok", cell
    assert "protected" in cell.stderr and ".git/hooks/post-checkout" in cell.stderr, cell
    assert hook.read_text() == "honest"
    assert sorted(str(path.relative_to(kernel.cwd)) for path in kernel.cwd.rglob("*")) == [
        ".git", ".git/hooks", ".git/hooks/post-checkout", "out.csv"]
    assert command(reachable_installation, kernel, "apply", ".env").returncode == 0
    assert (kernel.cwd / ".env").read_text() == "evil", "who names it gets it"


@pytest.mark.parametrize("mode", ["cow", "rw"])
def test_no_file_with_rights_of_others_is_left(jailed, reachable_installation, mode):
    kernel = jailed(*(COW if mode == "cow" else RW))
    cell = kernel.run("""
import errno, os
def attempt(action):
    try:
        return action()
    except OSError as error:
        return errno.errorcode[error.errno]
open('x', 'w').close()
os.chmod('x', 0o777)
[attempt(lambda: os.chmod('x', 0o4755)), attempt(lambda: os.mknod('device', 0o020666, os.makedev(1, 1))),
 attempt(lambda: os.mknod('whiteout', 0o020666, 0))]""")
    assert cell.result == "['EPERM', 'EPERM', 'EPERM']", cell
    if mode == "cow":
        assert command(reachable_installation, kernel, "apply").returncode == 0
    left = (kernel.cwd / "x").stat()
    assert stat.S_IMODE(left.st_mode) == 0o755
    assert left.st_uid == kernel.cwd.stat().st_uid, "the directory's owner, not the jail's user"


def test_sockets_of_the_host_in_the_directory_are_out_of_reach(jailed):
    import socket
    kernel = jailed(*RW)
    service = socket.socket(socket.AF_UNIX)
    service.bind(str(kernel.cwd / "s"))
    (kernel.cwd / "s").chmod(0o777)
    service.listen()
    cell = kernel.run("import socket\ntry:\n    socket.socket(socket.AF_UNIX).connect('s')\nexcept OSError as e:\n    print(type(e).__name__)")
    assert cell.stdout.strip() == "ConnectionRefusedError", cell
    service.close()


def test_what_a_person_does_meanwhile_is_not_undone(jailed):
    """The layer keeps what cells once wrote: it must not come back over a person's later work."""
    kernel = jailed(*RW)
    put(kernel, "removed", "old")
    cell = kernel.run("import os\nopen('written', 'w').write('cell')\nos.unlink('removed')\nos.mkdir('d')")
    assert cell.status == "ok", cell
    assert (kernel.cwd / "written").read_text() == "cell" and not (kernel.cwd / "removed").exists()
    put(kernel, "written", "person")
    put(kernel, "removed", "person")
    put(kernel, "d/new", "person")
    for _ in range(2):
        kernel.run("open('tick', 'a').write('x')")
    assert (kernel.cwd / "tick").read_text() == "xx", "the cell itself may go on"
    assert {name: (kernel.cwd / name).read_text() for name in ("written", "removed", "d/new")} == {
        "written": "person", "removed": "person", "d/new": "person"}


def test_a_tree_that_moves_while_it_is_read_holds_nothing_up(jailed):
    """Directories are exchanged and long names made without end while the layer is recorded."""
    import time
    kernel = jailed(*COW)
    cell = kernel.run("""
import os, subprocess, sys
open('/tmp/mover.py', 'w').write('''
import os
names = [c * 200 for c in 'abcdefgh']
root = os.open('.', os.O_RDONLY)
here = root
for depth in range(40):
    for name in names:
        os.mkdir(name, dir_fd=here)
    here = os.open(names[depth % 8], os.O_RDONLY, dir_fd=here)
print('ready', flush=True)
while True:
    for one, other in zip(names, names[1:]):
        try:
            os.rename(one, 'x', src_dir_fd=root, dst_dir_fd=root)
            os.rename(other, one, src_dir_fd=root, dst_dir_fd=root)
            os.rename('x', other, src_dir_fd=root, dst_dir_fd=root)
        except OSError:
            pass
''')
mover = subprocess.Popen([sys.executable, '/tmp/mover.py'], stdout=subprocess.PIPE)
mover.stdout.readline()""")
    assert cell.status == "ok", cell
    began = time.monotonic()
    assert kernel.run("mover.kill()\n1 + 1", timeout=60).result == "2"
    assert time.monotonic() - began < 30
