"""input() and getpass(): asked through the kernel, answered, interrupted, refused."""

import time


def test_input_asks_and_returns_the_answer(worker):
    number = worker.execute("name = input('who? ')\nprint('hello', name)", allow_stdin=True)
    assert worker.await_input(number) == {"prompt": "who? ", "password": False}
    worker.answer(number, "żółw")
    assert worker.result(number).stdout == "hello żółw\n"


def test_getpass_hides_the_answer(worker):
    number = worker.execute("import getpass\ngetpass.getpass('secret: ')", allow_stdin=True)
    assert worker.await_input(number) == {"prompt": "secret: ", "password": True}
    worker.answer(number, "s3")
    assert worker.result(number).of("execute_result")[0]["data"]["text/plain"] == "'s3'"


def test_prompts_that_are_no_text(worker):
    number = worker.execute("input(5), input()", allow_stdin=True)
    assert worker.await_input(number)["prompt"] == "5"
    worker.answer(number, "a")
    assert worker.await_input(number, count=2)["prompt"] == ""
    worker.answer(number, "b")
    assert worker.result(number).of("execute_result")[0]["data"]["text/plain"] == "('a', 'b')"


def test_text_before_the_question_is_shown_first(worker):
    number = worker.execute("print('read this'); input()", allow_stdin=True)
    worker.await_input(number)
    kinds = [f.msg_type or f.type for f in worker.received if f.parent == number]
    assert kinds == ["execute_input", "stream", "input"]
    worker.answer(number, "")
    assert worker.result(number).status == "ok"


def test_end_of_file(worker):
    number = worker.execute("input()", allow_stdin=True)
    worker.await_input(number)
    worker.answer(number, "\x04")
    assert worker.result(number).error == "EOFError"


def test_refused_without_a_frame_when_the_front_end_cannot_ask(worker):
    cell = worker.run("input('p')")
    assert cell.error == "StdinNotImplementedError"
    assert cell.reply["evalue"] == "raw_input was called, but this frontend does not support input requests."
    assert not any(f.type == "input" for f in worker.received)


def test_interrupt_while_waiting(worker):
    for _ in range(3):
        number = worker.execute("input('p')", allow_stdin=True)
        worker.await_input(number)
        time.sleep(0.1)
        worker.interrupt()
        cell = worker.result(number, timeout=8)
        assert cell.error == "KeyboardInterrupt" and cell.reply["evalue"] == "Interrupted by user"
    worker.answer(number, "too late")
    assert worker.run("print('next')").stdout == "next\n"


def test_late_answers_do_not_answer_the_next_question(worker):
    number = worker.execute("try:\n    input('one')\nexcept KeyboardInterrupt: pass\nprint(input('two'))", allow_stdin=True)
    worker.await_input(number)
    time.sleep(0.1)
    worker.interrupt()
    assert worker.await_input(number, count=2)["prompt"] == "two"
    worker.answer(number, "right")
    assert worker.result(number).stdout == "right\n"


def test_stale_answer_of_another_request_is_ignored(worker):
    first = worker.execute("1", allow_stdin=True)
    worker.result(first)
    worker.answer(first, "stale")
    number = worker.execute("input()", allow_stdin=True)
    worker.await_input(number)
    worker.answer(first, "staler")
    worker.answer(number, "fresh")
    assert worker.result(number).of("execute_result")[0]["data"]["text/plain"] == "'fresh'"


def test_input_in_an_awaiting_cell_and_in_a_thread(worker):
    number = worker.execute("import asyncio\nawait asyncio.sleep(0)\nprint(await asyncio.to_thread(input, 'in a thread'))\n"
                            "print(input('here'))", allow_stdin=True)
    for count, prompt in ((1, "in a thread"), (2, "here")):
        assert worker.await_input(number, count)["prompt"] == prompt
        worker.answer(number, prompt.upper())
    assert worker.result(number).stdout == "IN A THREAD\nHERE\n"


def test_a_thread_cannot_ask_after_its_cell_has_ended(worker):
    number = worker.execute("import threading, time\ndef ask():\n    time.sleep(0.3)\n    try: input('late')\n"
                            "    except Exception as e: print(type(e).__name__)\nthreading.Thread(target=ask).start()", allow_stdin=True)
    worker.result(number)
    worker.await_text(number, "StdinNotImplementedError")
    assert not any(f.type == "input" for f in worker.received)


def test_a_thread_that_waits_when_its_cell_ends_is_let_go(worker):
    number = worker.execute("import threading, time\ndef ask():\n    try: input('p')\n    except EOFError as e: print('let go')\n"
                            "threading.Thread(target=ask).start(); time.sleep(0.5)", allow_stdin=True)
    worker.await_input(number)
    worker.result(number)
    worker.await_text(number, "let go")


def test_pdb_and_breakpoint(worker):
    for start in ("import pdb\n%s; pdb.set_trace(); y = 1", "%s; breakpoint(); y = 1"):
        number = worker.execute(start % "x = 41", allow_stdin=True)
        assert worker.await_input(number)["prompt"].strip() in ("(Pdb)", "ipdb>")
        worker.answer(number, "p x + 1")
        worker.await_text(number, "42")
        worker.await_input(number, count=2)
        worker.answer(number, "c")
        assert worker.result(number).status == "ok"


def test_debug_magic(worker):
    worker.run("def f(a):\n    1/0\nf(7)")
    number = worker.execute("%debug", allow_stdin=True)
    assert worker.await_input(number)["prompt"] == "ipdb> "
    worker.answer(number, "p a")
    worker.await_text(number, "7")
    worker.await_input(number, count=2)
    worker.answer(number, "q")
    assert worker.result(number).status == "ok"


def test_quit_from_pdb_ends_the_cell(worker):
    number = worker.execute("reached = False\nbreakpoint()\nreached = True", allow_stdin=True)
    worker.await_input(number)
    worker.answer(number, "q")
    worker.result(number)
    assert worker.run("reached").of("execute_result")[0]["data"]["text/plain"] == "False"
