"""Runs in the rig, as root: one stage after the other, each as root or in a login session of `tester`, as people have one.

What a stage prints goes to /host/out/NAME.log, its exit status to NAME.status, both written before the next one begins.
"""

import json
import os
import subprocess
import time
from pathlib import Path

OUT = Path("/host/out")
# A scope of systemd's user manager that may divide its cgroup: what a login shell's children have.
AS_TESTER = ["runuser", "-u", "tester", "--", "env", "HOME=/home/tester", "XDG_RUNTIME_DIR=/run/user/1000",
             "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
             "systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes"]
AS = {"root": [], "tester": AS_TESTER,
      # As after su, from a service of the system: no manager of its own that could hand out cgroups.
      "tester-alone": ["setpriv", "--reuid=tester", "--regid=tester", "--clear-groups", "env", "-i",
                       "HOME=/home/tester", "PATH=/usr/bin:/bin"]}


def run(stage):
    setup = subprocess.run(["bash", "-ec", stage["setup"]], capture_output=True, text=True)
    if setup.returncode != 0:
        return f"the setup failed: {setup.stdout}{setup.stderr}"
    command = ["bash", "-c", stage["command"]]
    command = AS[stage["user"]] + command
    with open(OUT / f"{stage['name']}.log", "wb") as log:
        try:
            return subprocess.run(command, cwd="/host", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  timeout=stage["seconds"]).returncode
        except subprocess.TimeoutExpired:
            return f"it took more than {stage['seconds']} s"


def main():
    OUT.mkdir(exist_ok=True)
    for stage in json.loads(Path("/host/rig/stages.json").read_text()):
        began = time.monotonic()
        status = run(stage)
        print(f"rig: {stage['name']}: {status} after {time.monotonic() - began:.0f} s", flush=True)
        (OUT / f"{stage['name']}.status").write_text(f"{status}\n")
        os.sync()
        if not isinstance(status, int):
            return  # It may still run, and would disturb the others.


main()
