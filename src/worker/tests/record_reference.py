"""Records what ipykernel answers to scenarios.py: python record_reference.py [scenario …] > reference.json

Needs a Python with ipykernel, numpy, pandas and matplotlib; run it again when the reference version changes.
"""

import json
import sys
import tempfile

from jupyter_client.manager import start_new_kernel
from normal import normal_cell
from scenarios import SCENARIOS


class Recorder:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()  # Empty: file names are completions too.
        self.manager, self.client = start_new_kernel(
            kernel_name="python3", extra_arguments=["--HistoryManager.hist_file=:memory:"], cwd=self.directory.name)

    def step(self, step):
        code, changes = step if isinstance(step, tuple) else (step, {})
        if isinstance(step, dict):
            msg_type, content = step["msg_type"], step["content"]
        else:
            msg_type = "execute_request"
            content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False,
                       "stop_on_error": True, **changes}
        message = self.client.session.msg(msg_type, content)
        self.client.shell_channel.send(message)
        published, reply = [], {"content": {}, "metadata": {}}
        if not msg_type.startswith("comm_") or msg_type == "comm_info_request":
            while True:
                reply = self.client.get_shell_msg(timeout=60)
                if reply["parent_header"]["msg_id"] == message["msg_id"]:
                    break
        while True:
            said = self.client.get_iopub_msg(timeout=60)
            if said["parent_header"].get("msg_id") != message["msg_id"]:
                continue
            if said["msg_type"] == "status":
                if said["content"]["execution_state"] == "idle":
                    break
                continue
            published.append((said["msg_type"], said["content"], said["metadata"], len(said["buffers"])))
        return normal_cell(published, reply["content"], reply["metadata"])

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.directory.cleanup()


def record(names):
    import IPython
    import ipykernel

    recorded = {}
    for name in names:
        recorder = Recorder()
        try:
            recorded[name] = [recorder.step(step) for step in SCENARIOS[name]]
        finally:
            recorder.close()
        print(name, file=sys.stderr)
    return {"ipykernel": ipykernel.__version__, "ipython": IPython.__version__, "python": list(sys.version_info[:2]),
            "scenarios": recorded}


if __name__ == "__main__":
    recorded = record(sys.argv[1:] or list(SCENARIOS))
    steps = recorded.pop("scenarios")
    # One line a step, so that a change of the reference can be read in a diff.
    lines = ",\n".join(f"  {json.dumps(name)}: [\n   " + ",\n   ".join(map(json.dumps, steps[name])) + "\n  ]" for name in steps)
    print(json.dumps(recorded)[:-1] + ', "scenarios": {\n' + lines + "\n}}")
