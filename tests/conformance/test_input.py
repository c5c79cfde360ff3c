"""input() and getpass(): the stdin channel."""

import time

import pytest
import zmq

from support.messages import collect_until_idle, next_stdin, reply_to, run


def start(kernel, code):
    return kernel.client.execute(code, allow_stdin=True)


def test_input_asks_and_receives(kernel):
    msg_id = start(kernel, "name = input('who? ')\nname.upper()")
    question = next_stdin(kernel.client)
    assert question["header"]["msg_type"] == "input_request"
    assert question["content"] == {"prompt": "who? ", "password": False}
    assert question["parent_header"]["msg_id"] == msg_id
    kernel.client.input("ada")
    messages = collect_until_idle(kernel.client, msg_id)
    assert [m["content"]["data"]["text/plain"] for m in messages if m["header"]["msg_type"] == "execute_result"] == ["'ADA'"]
    assert reply_to(kernel.client, msg_id)["content"]["status"] == "ok"


def test_getpass_asks_for_a_password(kernel):
    msg_id = start(kernel, "import getpass; getpass.getpass('key: ')")
    assert next_stdin(kernel.client)["content"] == {"prompt": "key: ", "password": True}
    kernel.client.input("s3cret")
    collect_until_idle(kernel.client, msg_id)
    assert reply_to(kernel.client, msg_id)["content"]["status"] == "ok"


def test_several_questions_in_one_cell(kernel):
    msg_id = start(kernel, "[input('a'), input('b')]")
    for answer in ("1", "2"):
        next_stdin(kernel.client)
        kernel.client.input(answer)
    messages = collect_until_idle(kernel.client, msg_id)
    assert [m["content"]["data"]["text/plain"] for m in messages if m["header"]["msg_type"] == "execute_result"] == ["['1', '2']"]
    reply_to(kernel.client, msg_id)


@pytest.mark.cellblock_only
def test_an_endless_prompt_is_shortened(kernel):
    msg_id = start(kernel, "input('\\x00' * 1_000_000)")
    assert next_stdin(kernel.client)["content"]["prompt"] == "\0" * 10_000 + " …"
    kernel.client.input("")
    collect_until_idle(kernel.client, msg_id)
    assert reply_to(kernel.client, msg_id)["content"]["status"] == "ok"


def test_output_before_the_question_comes_before_it(kernel):
    msg_id = start(kernel, "print('look'); input('?')")
    next_stdin(kernel.client)
    seen = []
    while "look\n" not in seen:
        message = kernel.client.get_iopub_msg(timeout=10)
        if message["header"]["msg_type"] == "stream":
            seen.append(message["content"]["text"])
    kernel.client.input("")
    collect_until_idle(kernel.client, msg_id)
    reply_to(kernel.client, msg_id)


def test_input_is_refused_where_the_front_end_cannot_answer(kernel):
    cell = kernel.run("input('nobody there?')", allow_stdin=False)
    assert cell.ename == "StdinNotImplementedError"


def test_an_interrupt_ends_a_question(kernel):
    msg_id = start(kernel, "input('waiting')")
    next_stdin(kernel.client)
    kernel.interrupt()
    collect_until_idle(kernel.client, msg_id, timeout=10)
    assert reply_to(kernel.client, msg_id)["content"]["ename"] == "KeyboardInterrupt"
    # The answer comes too late, and must not be taken for one to the next question.
    kernel.client.input("late")
    second = start(kernel, "input('again')")
    next_stdin(kernel.client)
    kernel.client.input("fresh")
    messages = collect_until_idle(kernel.client, second)
    assert [m["content"]["data"]["text/plain"] for m in messages if m["header"]["msg_type"] == "execute_result"] == ["'fresh'"]
    reply_to(kernel.client, second)


def test_the_debugger_prompt_takes_commands(kernel):
    run(kernel.client, "def f():\n    value = 41\n    raise RuntimeError('stop')\ntry:\n    f()\nexcept RuntimeError: raise")
    msg_id = start(kernel, "%debug")
    answers = iter(["p value + 1", "q"])
    for answer in answers:
        question = next_stdin(kernel.client)
        assert "ipdb" in question["content"]["prompt"]
        kernel.client.input(answer)
    messages = collect_until_idle(kernel.client, msg_id)
    assert "42" in "".join(m["content"]["text"] for m in messages if m["header"]["msg_type"] == "stream")
    reply_to(kernel.client, msg_id)


def test_a_front_end_that_connects_late_is_asked_all_the_same(kernel):
    """Its sockets connect one by one, and the first cell may ask before the last of them is there."""
    info, session = kernel.client.get_connection_info(), kernel.client.session
    with zmq.Context() as context, context.socket(zmq.DEALER) as shell, context.socket(zmq.DEALER) as stdin:
        for channel in (shell, stdin):
            channel.linger = 0
            channel.identity = b"late-front-end"
        shell.connect(f"tcp://{info['ip']}:{info['shell_port']}")
        session.send(shell, "execute_request", {"code": "answer = input('?')", "silent": False, "store_history": True,
                                                "user_expressions": {}, "allow_stdin": True, "stop_on_error": True})
        time.sleep(0.5)
        stdin.connect(f"tcp://{info['ip']}:{info['stdin_port']}")
        assert stdin.poll(5000), "the question was lost"
        _, parts = session.feed_identities(stdin.recv_multipart())
        assert session.deserialize(parts)["content"]["prompt"] == "?"
        session.send(stdin, "input_reply", {"status": "ok", "value": "42"})
        assert shell.poll(5000)
    assert kernel.run("answer").result == "'42'"
