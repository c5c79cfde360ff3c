"""What cells write and show: Python streams, descriptors, child processes, threads, displays."""

import time

import pytest

from support.messages import collect_until_idle, run


def test_stdout_and_stderr_are_told_apart(kernel):
    cell = kernel.run("import sys\nprint('out')\nprint('err', file=sys.stderr)")
    assert cell.stdout == "out\n" and cell.stderr == "err\n"


def test_streams_keep_their_order_with_displays(kernel):
    cell = kernel.run("print('before'); display('shown'); print('after')")
    assert [t for t in cell.types if t in ("stream", "display_data")] == ["stream", "display_data", "stream"]


def test_output_of_os_system_is_captured(kernel):
    cell = kernel.run("import os; status = os.system('echo out; echo err >&2')")
    assert cell.stdout == "out\n" and cell.stderr == "err\n"


def test_output_of_c_code_is_captured(kernel):
    cell = kernel.run("import ctypes\nc = ctypes.CDLL(None)\nc.puts(b'from C')\nc.fflush(None)\nNone")
    assert cell.stdout == "from C\n"


def test_output_of_descriptors_is_captured(kernel):
    cell = kernel.run("import os\nos.write(1, b'one\\n')\nos.write(2, b'two\\n')\nNone")
    assert cell.stdout == "one\n" and cell.stderr == "two\n"


def test_output_of_subprocesses_is_captured(kernel):
    cell = kernel.run("import subprocess, sys\n"
                      "subprocess.run([sys.executable, '-c', 'print(\"child\")'], check=True)\nNone")
    assert cell.stdout == "child\n"


def test_descriptor_output_that_is_no_text_does_no_harm(kernel):
    cell = kernel.run("import os\nos.write(1, b'\\xff\\xfe\\n')\nNone")
    assert cell.status == "ok" and "\ufffd" in cell.stdout
    assert kernel.run("1").status == "ok"


@pytest.mark.cellblock_only  # ipykernel decodes what one read gave it
def test_a_character_split_over_two_writes_stays_whole(kernel):
    cell = kernel.run("import os, time\nb = 'ż'.encode()\nos.write(1, b[:1]); time.sleep(0.3); os.write(1, b[1:])\nNone")
    assert cell.stdout == "ż"


@pytest.mark.cellblock_only  # ipykernel takes the newest cell
def test_threads_write_into_the_cell_that_started_them(kernel):
    client = kernel.client
    first = client.execute("""
import threading, time
def speak():
    time.sleep(0.6)
    print('from the thread', flush=True)
thread = threading.Thread(target=speak)
thread.start()""", allow_stdin=False)
    collect_until_idle(client, first)
    second = client.execute("thread.join(); time.sleep(0.3)", allow_stdin=False)
    deadline = time.monotonic() + 20
    parents = []
    idle = False
    while not (idle and parents) and time.monotonic() < deadline:
        message = client.get_iopub_msg(timeout=20)
        if message["header"]["msg_type"] == "stream" and "from the thread" in message["content"]["text"]:
            parents.append(message["parent_header"]["msg_id"])
        idle = idle or (message["parent_header"].get("msg_id") == second
                        and message["content"].get("execution_state") == "idle")
    assert parents == [first]


def test_displays_carry_data_and_metadata(kernel):
    cell = kernel.run("display({'text/plain': 'p', 'text/html': '<b>h</b>'}, raw=True, metadata={'k': 1})")
    shown = cell.of_type("display_data")[0]
    assert shown["data"] == {"text/plain": "p", "text/html": "<b>h</b>"}
    assert shown["metadata"] == {"k": 1}


def test_displays_can_be_updated_across_cells(kernel):
    first = kernel.run("handle = display('one', display_id='the-id')")
    assert first.of_type("display_data")[0]["transient"]["display_id"] == "the-id"
    second = kernel.run("handle.update('two')")
    assert second.of_type("update_display_data")[0]["transient"]["display_id"] == "the-id"
    assert second.of_type("update_display_data")[0]["data"]["text/plain"] == "'two'"


def test_output_can_be_cleared(kernel):
    cell = kernel.run("from IPython.display import clear_output\nprint('x')\nclear_output(wait=True)\nprint('y')")
    assert cell.of_type("clear_output") == [{"wait": True}]
    assert [t for t in cell.types if t in ("stream", "clear_output")] == ["stream", "clear_output", "stream"]


def test_figures_are_shown_inline(kernel):
    cell = kernel.run("import matplotlib.pyplot as plt\nplt.plot([1, 2, 3]);\nplt.show()", timeout=120)
    figures = [c for c in cell.of_type("display_data") if "image/png" in c["data"]]
    assert len(figures) == 1, cell
    assert figures[0]["data"]["image/png"].startswith("iVBOR")


def test_data_frames_are_shown_as_tables(kernel):
    cell = kernel.run("import pandas as pd\npd.DataFrame({'a': [1, 2]})", timeout=120)
    assert "<table" in cell.of_type("execute_result")[0]["data"]["text/html"], cell


def test_large_displays_arrive_whole(kernel):
    cell = kernel.run("display({'text/plain': 'x' * 5_000_000}, raw=True)")
    assert cell.of_type("display_data")[0]["data"]["text/plain"] == "x" * 5_000_000


def test_no_output_is_lost_in_a_flood_of_prints(kernel):
    cell = run(kernel.client, "for i in range(20_000):\n    print(i)", timeout=120)
    assert cell.stdout == "".join(f"{i}\n" for i in range(20_000))


def test_no_message_is_lost_in_a_flood_of_displays(kernel):
    cell = run(kernel.client, "for i in range(5_000):\n    display(i)", timeout=120)
    assert [c["data"]["text/plain"] for c in cell.of_type("display_data")] == [str(i) for i in range(5_000)]


def test_nothing_is_lost_when_the_front_end_reads_late(kernel):
    """More messages than ZeroMQ's default high-water mark, read only after the cell had time to end."""
    msg_id = kernel.client.execute("for i in range(5_000):\n    display(i)", allow_stdin=False)
    time.sleep(3)
    messages = collect_until_idle(kernel.client, msg_id, timeout=120)
    assert sum(m["header"]["msg_type"] == "display_data" for m in messages) == 5_000


def test_odd_numbers_in_display_data_survive(kernel):
    cell = kernel.run("display({'application/json': {'big': 2**70, 'float': 1.0, 'z': 1, 'a': 2}}, raw=True)")
    data = cell.of_type("display_data")[0]["data"]["application/json"]
    assert data == {"big": 2**70, "float": 1.0, "z": 1, "a": 2} and list(data) == ["big", "float", "z", "a"]
    assert isinstance(data["float"], float)


def test_forked_children_may_print(kernel):
    cell = kernel.run("""
import os, sys
pid = os.fork()
if pid == 0:
    os.write(1, b'child\\n')
    os._exit(0)
os.waitpid(pid, 0)
print('parent')""")
    assert sorted(cell.stdout.split()) == ["child", "parent"]
    assert kernel.run("1").status == "ok"


def test_multiprocessing_works(kernel):
    cell = kernel.run("from multiprocessing import get_context\nimport math\n"
                      "with get_context('fork').Pool(2) as pool:\n    found = pool.map(math.factorial, [3, 4])\nfound")
    assert cell.result == "[6, 24]", cell
