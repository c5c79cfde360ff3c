"""Cells: the order of messages, results, errors, counts, and what queued cells do after an error."""

import pytest

from support.messages import collect_until_idle, reply_to, send


def test_messages_come_in_the_order_that_front_ends_rely_on(kernel):
    cell = kernel.run("print('a')\n1 + 1")
    states = [m["content"]["execution_state"] for m in cell.messages if m["header"]["msg_type"] == "status"]
    assert cell.types == ["status", "execute_input", "stream", "execute_result", "status"]
    assert states == ["busy", "idle"]


def test_every_message_names_its_parent_exactly_as_it_was_sent(kernel):
    msg_id = kernel.client.execute("print('x'); 1", allow_stdin=False)
    messages = collect_until_idle(kernel.client, msg_id)
    reply = reply_to(kernel.client, msg_id)
    for message in [*messages, reply]:
        assert message["parent_header"]["msg_id"] == msg_id
        assert message["parent_header"]["session"] == kernel.client.session.session
        assert message["parent_header"]["msg_type"] == "execute_request"


def test_headers_are_complete_and_message_ids_unique(kernel):
    cell = kernel.run("print('x'); 1")
    headers = [m["header"] for m in [*cell.messages, cell.reply]]
    assert len({h["msg_id"] for h in headers}) == len(headers)
    for header in headers:
        assert header["username"] and header["session"] and header["version"].startswith("5.")
        assert header["date"].tzinfo is not None


def test_a_value_is_shown_and_counted(kernel):
    before = kernel.run("").content["execution_count"]
    cell = kernel.run("6 * 7")
    assert cell.result == "42"
    shown = cell.of_type("execute_result")[0]
    assert shown["execution_count"] == cell.content["execution_count"] == before + 1
    assert cell.of_type("execute_input") == [{"code": "6 * 7", "execution_count": before + 1}]


def test_state_lives_from_cell_to_cell(kernel):
    kernel.run("kept = [1]")
    kernel.run("kept.append(2)")
    assert kernel.run("kept").result == "[1, 2]"


def test_reply_metadata_and_payload_are_there(kernel):
    cell = kernel.run("1")
    assert cell.content["payload"] == []
    assert cell.content["user_expressions"] == {}
    assert cell.reply["metadata"]["status"] == "ok"


def test_an_exception_reaches_notebook_and_reply(kernel):
    cell = kernel.run("def f():\n    raise ValueError('wrong')\nf()")
    assert cell.status == "error"
    assert cell.content["ename"] == "ValueError" and cell.content["evalue"] == "wrong"
    assert cell.error == "ValueError: wrong"
    trace = "\n".join(cell.of_type("error")[0]["traceback"])
    assert "Traceback" in trace and "Cell" in trace and "ValueError" in trace
    assert cell.content["traceback"] == cell.of_type("error")[0]["traceback"]
    assert kernel.run("'alive'").result == "'alive'"


def test_a_syntax_error_is_an_error_with_the_place(kernel):
    cell = kernel.run("x = = 1")
    assert cell.ename == "SyntaxError"
    assert "^" in "\n".join(cell.content["traceback"])


def test_system_exit_does_not_end_the_kernel(kernel):
    cell = kernel.run("import sys; sys.exit(3)")
    assert cell.ename == "SystemExit"
    assert kernel.run("1").status == "ok"


def test_silent_cells_publish_neither_input_nor_result(kernel):
    before = kernel.run("0").content["execution_count"]
    cell = kernel.run("print('heard'); 5", silent=True)
    assert "execute_input" not in cell.types and "execute_result" not in cell.types
    assert cell.stdout == "heard\n"
    assert kernel.run("0").content["execution_count"] == before + 1


def test_cells_without_history_do_not_count(kernel):
    before = kernel.run("0").content["execution_count"]
    cell = kernel.run("11", store_history=False)
    assert cell.result == "11"
    assert kernel.run("0").content["execution_count"] == before + 1


def test_user_expressions_answer_each_for_itself(kernel):
    cell = kernel.run("a = 20", user_expressions={"good": "a + 1", "bad": "1/0"})
    assert cell.content["user_expressions"]["good"]["data"]["text/plain"] == "21"
    assert cell.content["user_expressions"]["bad"]["ename"] == "ZeroDivisionError"


def test_user_expressions_are_left_out_after_an_error(kernel):
    cell = kernel.run("1/0", user_expressions={"x": "1"})
    assert cell.status == "error" and not cell.content.get("user_expressions")


def test_queued_cells_are_aborted_after_an_error(kernel):
    client = kernel.client
    ids = [client.execute(code, allow_stdin=False) for code in
           ("import time; time.sleep(0.5); 1/0", "print('must not run')", "print('nor this')")]
    statuses = []
    for msg_id in ids:
        messages = collect_until_idle(client, msg_id)
        assert not [m for m in messages if m["header"]["msg_type"] in ("stream", "execute_input")] or msg_id == ids[0]
        statuses.append(reply_to(client, msg_id)["content"]["status"])
    assert statuses == ["error", "aborted", "aborted"]
    assert kernel.run("'runs again'").result == "'runs again'"


def test_stop_on_error_false_lets_queued_cells_run(kernel):
    client = kernel.client
    first = client.execute("import time; time.sleep(0.3); 1/0", allow_stdin=False, stop_on_error=False)
    second = client.execute("'ran'", allow_stdin=False)
    assert reply_to(client, first)["content"]["status"] == "error"
    assert reply_to(client, second)["content"]["status"] == "ok"
    collect_until_idle(client, second)


def test_a_request_sent_right_after_an_error_reply_runs(kernel):
    """Aborting must end with what was queued: a timed window would swallow the next request of a quick client."""
    for _ in range(20):
        kernel.run("1/0")
        assert kernel.run("'next'").status == "ok"


def test_top_level_await_works(kernel):
    cell = kernel.run("import asyncio\nawait asyncio.sleep(0.01)\n'awaited'")
    assert cell.result == "'awaited'"


def test_async_for_and_with_work_at_top_level(kernel):
    cell = kernel.run("""
async def numbers():
    for i in range(3):
        yield i
import contextlib
@contextlib.asynccontextmanager
async def block():
    yield 'inside'
async with block() as b:
    found = [n async for n in numbers()]
(b, found)""")
    assert cell.result == "('inside', [0, 1, 2])"


def test_tasks_survive_their_cell(kernel):
    kernel.run("""
import asyncio
async def later():
    await asyncio.sleep(0.05)
    return 'done'
task = asyncio.ensure_future(later())""")
    assert kernel.run("await task").result == "'done'"


def test_empty_code_is_answered(kernel):
    before = kernel.run("0").content["execution_count"]
    assert kernel.run("").content["execution_count"] == before
    assert kernel.run("   \n").status == "ok"


def test_unicode_goes_both_ways(kernel):
    text = "żółć 🐍 日本語 \u0301"
    cell = kernel.run(f"print({text!r}); {text!r}")
    assert cell.stdout == text + "\n" and cell.result == repr(text)


def test_magics_and_shell_commands_work(kernel):
    assert kernel.run("!echo from-the-shell").stdout.replace("\r", "") == "from-the-shell\n"
    assert kernel.run("%%bash\necho one; echo two >&2").stdout == "one\n"
    assert kernel.run("%%capture out\nprint('caught')").stdout == ""
    assert kernel.run("out.stdout").result == "'caught\\n'"


def test_the_pager_becomes_a_payload(kernel):
    payload = kernel.run("len?").content["payload"]
    assert [p["source"] for p in payload] == ["page"]
    assert "Return the number of items" in payload[0]["data"]["text/plain"]


def test_set_next_input_becomes_a_payload(kernel):
    payload = kernel.run("get_ipython().set_next_input('next cell')").content["payload"]
    assert payload == [{"source": "set_next_input", "text": "next cell", "replace": False}]


def test_unknown_requests_get_busy_and_idle_and_nothing_else(kernel):
    msg_id = send(kernel.client, "no_such_request")
    messages = collect_until_idle(kernel.client, msg_id)
    assert [m["header"]["msg_type"] for m in messages] == ["status", "status"]
    assert kernel.run("1").status == "ok"


@pytest.mark.parametrize("code", ["x" * 1_000_000, "'\\0'", "# \ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace")])
def test_strange_code_gets_an_answer(kernel, code):
    assert kernel.run(code).status in ("ok", "error")
    assert kernel.run("1").status == "ok"


def test_the_environment_may_name_the_file_of_all_cells(start_kernel):
    kernel = start_kernel(env={"IPYKERNEL_CELL_NAME": "<a cell>"})
    assert kernel.run("def f(): 1/0\nf.__code__.co_filename").result == "'<a cell>'"
    assert kernel.run("f()").ename == "ZeroDivisionError"
