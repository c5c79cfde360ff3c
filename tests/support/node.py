"""The clients in Node, with the packages of their lock file."""

import shutil
import subprocess

from support.installation import ROOT

SOURCES = ROOT / "tests" / "integration" / "node"
# Those of conversations.mjs.
CONVERSATIONS = ("a_cell", "hidden_cells_leave_no_trace", "comms_carry_buffers", "an_interrupt_stops_the_cell_only",
                 "questions_are_answered", "a_restart_begins_anew", "editors_are_helped",
                 "queued_cells_are_given_up_after_an_error")


def install(directory):
    """Copies the clients to the directory and fetches their packages. Native parts come prebuilt: no script of a
    package runs."""
    for source in (*SOURCES.glob("*.mjs"), *SOURCES.glob("package*.json"), SOURCES / ".npmrc"):
        shutil.copy(source, directory)
    if shutil.which("npm") is None:
        raise LookupError("npm is missing: apt-get install nodejs npm, or ./test, which does so")
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=directory,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"npm ci: {done.stdout}{done.stderr}"
    return directory
