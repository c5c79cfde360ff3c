"""What the rig is given: binaries, the tests' support, and a Python environment with IPython and a client."""

import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from support.installation import ROOT

# What the checks import; the rest follows from what these need.
WANTED = ("ipython", "jupyter_client", "psutil", "pytest", "pytest-timeout", "ipykernel")
LEFT_OUT = {"debugpy"}  # large, and not needed to start
# Python executes it as it starts: what runs outside of a jail shows on the host.
MARK = 'import os; os.close(os.open("/tmp/executed-%d" % os.getuid(), os.O_CREAT | os.O_WRONLY, 0o600))\n'


def make_bundle(directory):
    """The layout of a checkout after ./test, below `directory`/cellblock, and temporary directories below `directory`/tmp."""
    checkout = directory / "cellblock"
    release = ROOT / "build" / "release"
    (checkout / "build" / "release" / "bin").mkdir(parents=True)
    shutil.copy2(release / "bin" / "cellblock", checkout / "build" / "release" / "bin")
    for part in ("lib", "libexec"):
        shutil.copytree(release / part, checkout / "build" / "release" / part)
    dev = ROOT / "build" / "dev"
    (checkout / "build" / "dev" / "bin").mkdir(parents=True)
    shutil.copy2(dev / "bin" / "jail_test", checkout / "build" / "dev" / "bin")
    shutil.copytree(dev / "libexec", checkout / "build" / "dev" / "libexec")
    shutil.copytree(ROOT / "tests", checkout / "tests",
                    ignore=shutil.ignore_patterns("__pycache__", "corpus", "node", ".pytest_cache", "differential"))
    # What Python compiles of the tests is kept for the next stage, whoever runs it.
    for path in (checkout / "tests", *(checkout / "tests").rglob("*")):
        if path.is_dir():
            path.chmod(0o777)
    for user in ("tester", "root"):
        (directory / "tmp" / user).mkdir(parents=True)
        (directory / "tmp" / user).chmod(0o777)  # A container's user takes the directory of who made the container.
    make_environment(checkout / ".venv")


def make_environment(directory):
    """A venv of the system's Python, which the rig has in the same version: it is the same Debian release."""
    packages = directory / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    (directory / "bin").mkdir()
    for name in ("python", "python3"):
        (directory / "bin" / name).symlink_to("/usr/bin/python3")
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", directory)
    for distribution in _closure():
        for file in distribution.files or ():
            source = Path(distribution.locate_file(file))
            if file.parts[0] == ".." or not source.is_file():
                continue
            # With what pip compiled, and the times by which Python knows what it was compiled from: nobody in the rig
            # may write there, and each kernel would compile it again, emulated.
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (packages / "mark.pth").write_text(MARK)


def _closure():
    found, waiting = {}, list(WANTED)
    while waiting:
        name = re.split(r"[ ;<>=!~\[(]", waiting.pop(), maxsplit=1)[0].lower().replace("_", "-")
        if name in found or name in LEFT_OUT:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another Python or system
        waiting += [need for need in found[name].requires or () if "extra ==" not in need]
    return found.values()
