"""Subshells (JEP 91): requests that run beside the main shell, each shell in its own order."""

import time

import pytest

from support.messages import Cell, collect_until_idle, next_stdin, reply_to, request, send


def create(kernel):
    reply = request(kernel.client, "create_subshell_request", channel="control")
    assert reply.status == "ok" and reply.reply["header"]["msg_type"] == "create_subshell_reply"
    return reply.content["subshell_id"]


def delete(kernel, subshell_id):
    return request(kernel.client, "delete_subshell_request", {"subshell_id": subshell_id}, channel="control").content


def listed(kernel):
    return request(kernel.client, "list_subshell_request", channel="control").content["subshell_id"]


def send_to(kernel, subshell_id, msg_type, content):
    message = kernel.client.session.msg(msg_type, content)
    message["header"]["subshell_id"] = subshell_id
    kernel.client.shell_channel.send(message)
    return message["header"]["msg_id"]


def execute(kernel, subshell_id, code, **options):
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False,
               "stop_on_error": True, **options}
    return send_to(kernel, subshell_id, "execute_request", content)


def finish(kernel, msg_id, timeout=30):
    messages = collect_until_idle(kernel.client, msg_id, timeout)
    return Cell(reply_to(kernel.client, msg_id, timeout=timeout), messages)


def run(kernel, subshell_id, code, **options):
    return finish(kernel, execute(kernel, subshell_id, code, **options))


def statuses(kernel, ids):
    """The replies to several requests, in whatever order they come."""
    replies = {}
    while len(replies) < len(ids):
        message = kernel.client.get_shell_msg(timeout=30)
        if message["parent_header"].get("msg_id") in ids:
            replies[message["parent_header"]["msg_id"]] = message["content"]["status"]
    return replies


def wait_for_output(kernel, msg_id, text="started"):
    while True:
        message = kernel.client.get_iopub_msg(timeout=20)
        if (message["parent_header"].get("msg_id") == msg_id and message["header"]["msg_type"] == "stream"
                and text in message["content"]["text"]):
            return


BUSY = "import time\nprint('started', flush=True)\nreleased = False\nwhile not released: time.sleep(0.01)"


@pytest.fixture
def subshell(kernel):
    subshell_id = create(kernel)
    yield subshell_id
    if subshell_id in listed(kernel):
        delete(kernel, subshell_id)


@pytest.fixture
def busy(kernel, subshell):
    """The main shell runs a cell until somebody says so."""
    msg_id = kernel.client.execute(BUSY, allow_stdin=False)
    wait_for_output(kernel, msg_id)
    yield msg_id
    run(kernel, subshell, "released = True")


def test_the_kernel_advertises_them(kernel):
    assert "kernel subshells" in request(kernel.client, "kernel_info_request").content["supported_features"]


def test_they_can_be_created_listed_and_deleted(kernel):
    assert listed(kernel) == []
    first, second = create(kernel), create(kernel)
    assert listed(kernel) == [first, second]
    assert delete(kernel, first) == {"status": "ok"}
    assert listed(kernel) == [second]
    delete(kernel, second)
    assert listed(kernel) == []


def test_deleting_an_unknown_one_is_an_error(kernel):
    assert delete(kernel, "no-such-shell") == {"status": "error", "evalue": "Unknown subshell_id 'no-such-shell'"}


@pytest.mark.parametrize("msg_type,content,reply_type", [
    ("execute_request", {"code": "1"}, "execute_reply"), ("complete_request", {"code": "a", "cursor_pos": 1}, "complete_reply"),
    ("kernel_info_request", {}, "kernel_info_reply")])
def test_a_request_to_an_unknown_one_is_an_error(kernel, msg_type, content, reply_type):
    msg_id = send_to(kernel, "no-such-shell", msg_type, content)
    cell = finish(kernel, msg_id)
    assert cell.reply["header"]["msg_type"] == reply_type
    assert cell.content == {"status": "error", "ename": "UnknownSubshellError",
                            "evalue": "Unknown subshell_id 'no-such-shell'", "traceback": []}
    assert [m["content"]["execution_state"] for m in cell.messages] == ["busy", "idle"]


def test_a_comm_message_to_an_unknown_one_ends_with_idle(kernel):
    msg_id = send_to(kernel, "no-such-shell", "comm_msg", {"comm_id": "x", "data": {}})
    assert [m["content"]["execution_state"] for m in collect_until_idle(kernel.client, msg_id)
            if m["header"]["msg_type"] == "status"] == ["busy", "idle"]


@pytest.mark.cellblock_only
def test_a_comm_is_closed_although_its_subshell_is_deleted_first(kernel):
    """JupyterLab deletes it right behind the comm_close, on the control channel, which may be faster."""
    kernel.run("from comm import get_comm_manager\nget_comm_manager().register_target('t', lambda comm, message: None)")
    subshell_id = create(kernel)
    collect_until_idle(kernel.client, send_to(kernel, subshell_id, "comm_open", {"comm_id": "c", "target_name": "t", "data": {}}))
    assert kernel.run("'c' in get_comm_manager().comms").result == "True"
    delete(kernel, subshell_id)
    collect_until_idle(kernel.client, send_to(kernel, subshell_id, "comm_close", {"comm_id": "c", "data": {}}))
    assert kernel.run("'c' in get_comm_manager().comms").result == "False"


def test_the_namespace_and_the_execution_count_are_shared(kernel, subshell):
    kernel.run("shared = 1")
    cell = run(kernel, subshell, "shared += 1\nshared")
    assert cell.result == "2"
    assert cell.types[:2] == ["status", "execute_input"] and cell.types[-1] == "status"
    assert cell.of_type("execute_input")[0]["execution_count"] == cell.content["execution_count"]
    assert kernel.run("shared").content["execution_count"] == cell.content["execution_count"] + 1


def test_cells_run_while_the_main_shell_is_busy(kernel, subshell, busy):
    began = time.monotonic()
    cell = run(kernel, subshell, "print('beside')\n6 * 7")
    assert (cell.result, cell.stdout) == ("42", "beside\n")
    assert time.monotonic() - began < 5


def test_all_questions_are_answered_while_the_main_shell_is_busy(kernel, subshell, busy):
    for msg_type, content, key in [("complete_request", {"code": "rele", "cursor_pos": 4}, "matches"),
                                   ("is_complete_request", {"code": "1"}, "status"),
                                   ("inspect_request", {"code": "print", "cursor_pos": 5}, "data"),
                                   ("history_request", {"hist_access_type": "tail", "n": 1, "raw": True, "output": False}, "history"),
                                   ("kernel_info_request", {}, "banner"),
                                   ("comm_info_request", {}, "comms")]:
        assert key in finish(kernel, send_to(kernel, subshell, msg_type, content)).content, msg_type


# ipykernel signs from several threads with one HMAC object, so now and then a message carries another's signature.
@pytest.mark.cellblock_only
def test_a_cell_in_each_of_several_at_once(kernel):
    subshells = [create(kernel) for _ in range(3)]
    kernel.run("import threading, time\nmet = threading.Barrier(3)")
    ids = [execute(kernel, s, "met.wait(20)\nthreading.get_ident()") for s in subshells]
    results, idle = {}, set()
    deadline = time.monotonic() + 30
    while len(idle) < 3 and time.monotonic() < deadline:
        message = kernel.client.get_iopub_msg(timeout=20)
        parent = message["parent_header"].get("msg_id")
        if message["header"]["msg_type"] == "execute_result":
            results[parent] = message["content"]["data"]["text/plain"]
        if message["content"].get("execution_state") == "idle" and parent in ids:
            idle.add(parent)
    assert set(statuses(kernel, ids).values()) == {"ok"} and len(set(results.values())) == 3
    for subshell_id in subshells:
        delete(kernel, subshell_id)


def test_requests_of_one_keep_their_order(kernel, subshell):
    kernel.run("order = []")
    ids = [execute(kernel, subshell, f"order.append({i})") for i in range(20)]
    assert set(statuses(kernel, ids).values()) == {"ok"}
    assert kernel.run("order == list(range(20))").result == "True"


def test_an_error_aborts_what_is_queued_in_the_same_shell_only(kernel, subshell):
    other = create(kernel)
    kernel.run("import time, threading\ngo = threading.Event()")
    failing = execute(kernel, subshell, "print('started', flush=True)\ngo.wait(20)\n1/0")
    wait_for_output(kernel, failing)
    aborted = [execute(kernel, subshell, "'must not run'") for _ in range(3)]
    held = execute(kernel, other, "print('started', flush=True)\ngo.wait(20)")
    wait_for_output(kernel, held)
    unharmed = execute(kernel, other, "'runs'")
    time.sleep(0.2)
    kernel.client.execute("go.set()", allow_stdin=False)
    replies = statuses(kernel, [failing, *aborted, held, unharmed])
    assert replies.pop(failing) == "error"
    assert [replies.pop(msg_id) for msg_id in aborted] == ["aborted"] * 3
    assert set(replies.values()) == {"ok"} and unharmed in replies
    assert run(kernel, subshell, "'again'").status == "ok"
    delete(kernel, other)


def test_the_magic_says_where_it_runs(kernel, subshell):
    cell = run(kernel, subshell, "%subshell")
    assert f"subshell id: {subshell}\n" in cell.stdout and f"subshell list: ['{subshell}']" in cell.stdout
    assert "subshell id: None\n" in kernel.run("%subshell").stdout


def test_a_thread_for_each(kernel):
    count = "import threading\nthreading.active_count()"
    before = int(kernel.run(count).result)
    subshell_id = create(kernel)
    assert int(kernel.run(count).result) == before + 1
    delete(kernel, subshell_id)
    deadline = time.monotonic() + 5
    while int(kernel.run(count).result) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert int(kernel.run(count).result) == before


def test_top_level_await_and_tasks(kernel, subshell, busy):
    cell = run(kernel, subshell, "import asyncio\nawait asyncio.sleep(0.05)\n'awaited'")
    assert cell.result == "'awaited'"
    run(kernel, subshell, "task = asyncio.get_running_loop().create_task(asyncio.sleep(0, 'task done'))")
    assert run(kernel, subshell, "await task").result == "'task done'"


def test_input_asks_the_front_end(kernel, subshell, busy):
    msg_id = execute(kernel, subshell, "input('name? ')", allow_stdin=True)
    question = next_stdin(kernel.client)
    assert question["content"]["prompt"] == "name? " and question["parent_header"]["msg_id"] == msg_id
    kernel.client.input("Ada")
    assert finish(kernel, msg_id).result == "'Ada'"


def test_an_interrupt_means_the_main_shell_when_it_is_busy(kernel, subshell):
    kernel.run("import time")
    main = kernel.client.execute("print('started', flush=True)\ntime.sleep(30)", allow_stdin=False)
    wait_for_output(kernel, main)
    beside = execute(kernel, subshell, "print('started', flush=True)\ntime.sleep(2)\n'undisturbed'")
    wait_for_output(kernel, beside)
    time.sleep(0.2)
    kernel.interrupt()
    assert statuses(kernel, [main, beside]) == {main: "error", beside: "ok"}


# ipykernel has no way to interrupt a subshell.
@pytest.mark.cellblock_only
@pytest.mark.parametrize("code", ["while True: pass", "import asyncio\nawait asyncio.sleep(60)",
                                  "import time\nwhile True: time.sleep(0.1)"])
def test_an_interrupt_reaches_a_subshell_when_the_main_shell_is_idle(kernel, subshell, code):
    msg_id = execute(kernel, subshell, "print('started', flush=True)\n" + code)
    wait_for_output(kernel, msg_id)
    time.sleep(0.2)
    kernel.interrupt()
    assert finish(kernel, msg_id, timeout=10).content["ename"] == "KeyboardInterrupt"
    assert run(kernel, subshell, "'alive'").result == "'alive'"


# ipykernel's control channel waits until the cell has ended, and what is queued gets no answer.
@pytest.mark.cellblock_only
def test_deleting_one_with_a_running_cell(kernel):
    subshell_id = create(kernel)
    running = execute(kernel, subshell_id, "import time\nprint('started', flush=True)\ntime.sleep(1)\n'ended by itself'")
    wait_for_output(kernel, running)
    queued = execute(kernel, subshell_id, "'never'")
    time.sleep(0.2)
    assert delete(kernel, subshell_id) == {"status": "ok"}
    assert listed(kernel) == []
    assert reply_to(kernel.client, queued)["content"]["ename"] == "UnknownSubshellError"
    assert finish(kernel, running).result == "'ended by itself'"


@pytest.mark.cellblock_only
def test_there_is_a_limit(kernel):
    subshells = [create(kernel) for _ in range(32)]
    refused = request(kernel.client, "create_subshell_request", channel="control")
    assert refused.status == "error" and "32" in refused.content["evalue"]
    for subshell_id in subshells:
        assert delete(kernel, subshell_id)["status"] == "ok"
    deadline = time.monotonic() + 10
    while True:
        again = request(kernel.client, "create_subshell_request", channel="control").content
        if again["status"] == "ok" or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert delete(kernel, again["subshell_id"])["status"] == "ok"


@pytest.mark.cellblock_only
def test_they_outlive_a_lost_interpreter(start_kernel):
    kernel = start_kernel()
    first, second = create(kernel), create(kernel)
    running = execute(kernel, first, "import time\nprint('started', flush=True)\ntime.sleep(60)")
    wait_for_output(kernel, running)
    fatal = execute(kernel, second, "import os\nos._exit(3)")
    replies = {}
    while len(replies) < 2:
        message = kernel.client.get_shell_msg(timeout=30)
        replies[message["parent_header"]["msg_id"]] = message["content"]["ename"]
    assert replies == {running: "WorkerExited", fatal: "WorkerExited"}
    assert listed(kernel) == [first, second]
    assert run(kernel, first, "%subshell").stdout.startswith(f"subshell id: {first}\n")
    assert kernel.run("1 + 1").result == "2"


@pytest.mark.cellblock_only
def test_the_wall_time_holds_in_subshells(start_kernel, installation, tmp_path):
    kernel = start_kernel(installation.install(tmp_path, "short", "--wall-time=1s"))
    subshell_id = create(kernel)
    assert run(kernel, subshell_id, "while True: pass").content["ename"] == "WallTimeExceeded"
    kernel.run("kept = 1")
    cell = run(kernel, subshell_id, "import time\ntime.sleep(60)")
    assert cell.content["ename"] == "WallTimeExceeded" and "did not react" in cell.content["evalue"]
    assert run(kernel, subshell_id, "'kept' in globals()").result == "False"


@pytest.mark.cellblock_only
def test_a_shutdown_does_not_wait_for_a_subshell(start_kernel):
    kernel = start_kernel()
    subshell_id = create(kernel)
    msg_id = execute(kernel, subshell_id, "import time\nprint('started', flush=True)\ntime.sleep(60)")
    wait_for_output(kernel, msg_id)
    began = time.monotonic()
    request_id = send(kernel.client, "shutdown_request", {"restart": False}, "control")
    reply_to(kernel.client, request_id, "control")
    kernel.process.wait(15)
    kernel.was_shut_down = True
    assert time.monotonic() - began < 10


# ---- comms

ECHO = """
from comm import create_comm
import threading
echo = create_comm(target_name='echo')
@echo.on_msg
def back(message):
    echo.send({'got': message['content']['data'], 'main': threading.current_thread() is threading.main_thread()})
echo.comm_id"""


# ipykernel 7.4.0 routes such a message to the shell that spoke last on the comm, which is busy.
@pytest.mark.cellblock_only
def test_a_widget_message_on_a_subshell_is_handled_while_a_cell_runs(kernel, subshell):
    comm_id = kernel.run(ECHO).result.strip("'")
    main = kernel.client.execute(BUSY, allow_stdin=False)
    wait_for_output(kernel, main)
    msg_id = send_to(kernel, subshell, "comm_msg", {"comm_id": comm_id, "data": {"n": 5}})
    messages = collect_until_idle(kernel.client, msg_id, timeout=10)
    answers = [m["content"]["data"] for m in messages if m["header"]["msg_type"] == "comm_msg"]
    assert answers == [{"got": {"n": 5}, "main": False}]
    release = execute(kernel, subshell, "released = True")
    assert statuses(kernel, [main, release]) == {main: "ok", release: "ok"}


@pytest.mark.cellblock_only
def test_a_slider_moves_while_a_cell_runs(kernel, subshell):
    model = kernel.run("import ipywidgets\nslider = ipywidgets.IntSlider(value=3)\nslider.model_id", timeout=120).result.strip("'")
    cell = kernel.client.execute("import time\nprint('started', flush=True)\nend = time.monotonic() + 15\n"
                                 "while slider.value != 42 and time.monotonic() < end: time.sleep(0.01)\nslider.value",
                                 allow_stdin=False)
    wait_for_output(kernel, cell)
    send_to(kernel, subshell, "comm_msg", {"comm_id": model, "data": {"method": "update", "state": {"value": 42},
                                                                      "buffer_paths": []}})
    assert finish(kernel, cell).result == "42"


def test_a_comm_message_is_handled_while_the_cell_awaits(kernel):
    comm_id = kernel.run("from comm import create_comm\nimport asyncio\narrived = asyncio.Event()\n"
                         "bell = create_comm(target_name='bell')\n@bell.on_msg\ndef ring(message): arrived.set()\n"
                         "bell.comm_id").result.strip("'")
    cell = kernel.client.execute("print('started', flush=True)\nawait asyncio.wait_for(arrived.wait(), 10)", allow_stdin=False)
    wait_for_output(kernel, cell)
    send(kernel.client, "comm_msg", {"comm_id": comm_id, "data": {}})
    assert finish(kernel, cell).result == "True"


def test_a_comm_message_that_was_there_before_the_cell_awaited(kernel):
    comm_id = kernel.run("from comm import create_comm\nimport asyncio, time\narrived = asyncio.Event()\n"
                         "early = create_comm(target_name='early')\n@early.on_msg\ndef ring(message): arrived.set()\n"
                         "early.comm_id").result.strip("'")
    cell = kernel.client.execute("time.sleep(0.5)\nawait asyncio.wait_for(arrived.wait(), 10)", allow_stdin=False)
    send(kernel.client, "comm_msg", {"comm_id": comm_id, "data": {}})
    assert finish(kernel, cell).result == "True"


def test_the_answer_to_a_question_reaches_the_cell_that_asked(kernel, subshell):
    kernel.run("""
from comm import create_comm
import asyncio
answers = {}
asker = create_comm(target_name='asker')
@asker.on_msg
def answered(message):
    content = message['content']['data']['content']
    answers[content['id']].set_result(content['response'])
async def ask(name):
    answers[name] = asyncio.get_running_loop().create_future()
    asker.send({'method': 'custom', 'content': {'id': name, 'msg': '?'}})
    return await asyncio.wait_for(answers[name], 10)""")
    comm_id = kernel.run("asker.comm_id").result.strip("'")
    cell = kernel.client.execute("print('started', flush=True)\nawait ask('q-1')", allow_stdin=False)
    wait_for_output(kernel, cell)
    time.sleep(0.2)
    send_to(kernel, subshell, "comm_msg", {"comm_id": comm_id, "data": {"content": {"id": "q-1", "response": "here"}}})
    assert finish(kernel, cell).result == "'here'"
