"""What print() sends: how it is gathered, in which order, and whose it is."""

import time


def test_prints_are_gathered(worker):
    cell = worker.run("for i in range(1000): print(i)")
    assert cell.stdout == "".join(f"{i}\n" for i in range(1000))
    assert len(cell.of("stream")) <= 5


def test_a_flood_is_complete_and_in_few_messages(worker):
    cell = worker.run("for i in range(200_000): print(i)", timeout=60)
    assert cell.stdout == "".join(f"{i}\n" for i in range(200_000))
    assert len(cell.of("stream")) < 500


def test_text_appears_while_the_cell_runs(worker):
    number = worker.execute("import time\nprint('early')\ntime.sleep(1.5)\nprint('late')")
    start = time.monotonic()
    worker.await_text(number, "early")
    assert time.monotonic() - start < 1.2
    assert not any(f.type == "reply" and f.parent == number for f in worker.received)
    assert worker.result(number).stdout == "early\nlate\n"


def test_flush_ends_a_message(worker):
    cell = worker.run("for c in 'abc': print(c, flush=True)")
    assert [c["text"] for c in cell.of("stream")] == ["a\n", "b\n", "c\n"]


def test_stdout_and_stderr_keep_their_order(worker):
    cell = worker.run("import sys\nfor i in range(3):\n    print(i)\n    print(-i, file=sys.stderr)")
    assert [(c["name"], c["text"]) for c in cell.of("stream")] == [
        ("stdout", "0\n"), ("stderr", "0\n"), ("stdout", "1\n"), ("stderr", "-1\n"), ("stdout", "2\n"), ("stderr", "-2\n")]


def test_alternating_streams_do_not_make_a_message_a_line(worker):
    cell = worker.run("import sys\nfor i in range(20_000):\n    print(i)\n    print(-i, file=sys.stderr)")
    assert cell.stdout == "".join(f"{i}\n" for i in range(20_000))
    assert cell.stderr == "".join(f"{-i}\n" for i in range(20_000))
    assert len(cell.of("stream")) < 4_000


def test_text_comes_before_what_follows_it(worker):
    cell = worker.run("print(1)\ndisplay('d')\nprint(2)\nfrom IPython.display import clear_output\nclear_output()\nprint(3)\n5")
    assert cell.types == ["execute_input", "stream", "display_data", "stream", "clear_output", "stream", "execute_result"]
    assert worker.run("print(1)\n1/0").types == ["execute_input", "stream", "error"]


def test_one_huge_print_is_cut_into_messages(worker):
    cell = worker.run("print('x' * 5_000_000, end='')")
    assert cell.stdout == "x" * 5_000_000
    assert max(len(c["text"]) for c in cell.of("stream")) <= 1024 * 1024


def test_lone_surrogates_are_replaced_and_pairs_joined(worker):
    assert worker.run("print('a\\ud800b')").stdout == "a\ufffdb\n"
    assert worker.run("print('\\ud83d\\ude00')").stdout == "\U0001f600\n"
    assert worker.run("'\\udc80'").status == "ok"
    assert worker.run("raise ValueError('\\ud800')").reply["evalue"] == "\ufffd"
    assert worker.run("display({'text/plain': '\\udfff', 'x/\\ud800': 1}, raw=True)").status == "ok"


def test_bytes_written_to_the_buffer_are_text(worker):
    cell = worker.run("import sys\nb = 'ż'.encode()\nsys.stdout.buffer.write(b[:1]); sys.stdout.buffer.write(b[1:] + b'\\xff\\n')\n"
                      "sys.stdout.buffer.flush()")
    assert cell.stdout.startswith("ż\ufffd\n")


def test_stream_objects_look_like_files(worker):
    cell = worker.run("import sys, io\ns = sys.stdout\n"
                      "(s.fileno(), sys.stderr.fileno(), s.isatty(), s.encoding, s.errors, s.writable(), s.readable(), s.seekable(),\n"
                      " s.closed, isinstance(s, io.TextIOBase), s.name, s.line_buffering if hasattr(s, 'line_buffering') else None)")
    assert eval(cell.of("execute_result")[0]["data"]["text/plain"]) == \
        (1, 2, False, "UTF-8", "strict", True, False, False, False, True, "stdout", None)
    assert worker.run("sys.stdout.close(); print('still here')").stdout == "still here\n"


def test_redirections_work(worker):
    assert worker.run("import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as f: print('caught')\nf.getvalue()"
                      ).of("execute_result")[0]["data"]["text/plain"] == "'caught\\n'"
    assert worker.run("%%capture c\nprint('x'); display(1); 2").types == ["execute_input"]
    assert worker.run("c.stdout, len(c.outputs)").of("execute_result")[0]["data"]["text/plain"] == "('x\\n', 2)"


def test_threads_write_into_the_cell_that_started_them(worker):
    first = worker.execute("""
import threading, time
def speak():
    for i in range(4):
        time.sleep(0.2); print('tick', i)
    display('shown by the thread')
t = threading.Thread(target=speak); t.start()""")
    worker.result(first)
    second = worker.run("t.join(); print('second')")
    assert second.stdout == "second\n"
    assert "display_data" not in second.types
    later = [f for f in worker.published(first) if f.msg_type in ("stream", "display_data")]
    assert "".join(f.content["text"] for f in later if f.msg_type == "stream") == "tick 0\ntick 1\ntick 2\ntick 3\n"
    assert later[-1].msg_type == "display_data"


def test_threads_of_threads_and_timers_and_pools_are_routed(worker):
    first = worker.execute("""
import threading, time, concurrent.futures as cf
def inner(): time.sleep(0.3); print('inner')
def outer():
    time.sleep(0.2)
    threading.Thread(target=inner).start()
threading.Thread(target=outer).start()
threading.Timer(0.4, print, ['timer']).start()
pool = cf.ThreadPoolExecutor(2)
f = pool.submit(lambda: (time.sleep(0.4), print('pool')))""")
    worker.result(first)
    second = worker.run("time.sleep(1); print('mine')")
    assert second.stdout == "mine\n"
    said = "".join(f.content["text"] for f in worker.published(first) if f.msg_type == "stream")
    assert sorted(said.split()) == ["inner", "pool", "timer"]


def test_tasks_write_into_the_cell_that_started_them(worker):
    first = worker.execute("""
import asyncio
async def speak():
    await asyncio.sleep(0.3); print('from the task')
task = asyncio.create_task(speak())""")
    worker.result(first)
    second = worker.run("await asyncio.sleep(0.6); print('second')")
    assert second.stdout == "second\n"
    assert "".join(f.content["text"] for f in worker.published(first) if f.msg_type == "stream") == "from the task\n"


def test_text_after_the_cell_has_ended_arrives_without_another_request(worker):
    first = worker.execute("import threading\nthreading.Timer(0.3, print, ['late']).start()")
    worker.result(first)
    worker.await_text(first, "late\n", timeout=5)


def test_a_thread_of_c_code_belongs_to_the_newest_cell(worker):
    worker.run("import _thread, time\ndef speak(): time.sleep(0.5); print('raw')\n_ = _thread.start_new_thread(speak, ())")
    assert worker.run("time.sleep(1)").stdout == "raw\n"


def test_parent_can_be_set_for_a_thread(worker):
    first = worker.execute("parent = get_ipython().kernel.get_parent()")
    worker.result(first)
    worker.run("import sys\ntoken = get_ipython().set_thread_parent(parent) if hasattr(get_ipython(), 'set_thread_parent') else None\n"
               "print('redirected'); sys.stdout.flush()\nget_ipython().reset_thread_parent(token)")
    assert "redirected\n" in "".join(f.content["text"] for f in worker.published(first) if f.msg_type == "stream")


def test_hooks_of_streams_see_and_change_messages(worker):
    cell = worker.run("import sys\ndef hook(m):\n    if 'drop' in m['content']['text']: return None\n"
                      "    m['content']['text'] = m['content']['text'].upper(); return m\n"
                      "sys.stdout.register_hook(hook)\nprint('a'); sys.stdout.write('drop')\n"
                      "removed = sys.stdout.unregister_hook(hook), sys.stdout.unregister_hook(hook)\nprint('b', removed)")
    assert cell.stdout == "A\nb (True, False)\n"


def test_memory_stays_bounded_when_nobody_reads(start_worker):
    """The kernel stops reading when front ends do not keep up: the cell must then wait, not fill the jail's memory."""
    worker = start_worker()
    import socket as sockets

    worker.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    cell = worker.run("import resource\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
                      "for i in range(300): print('y' * 100_000)\n"
                      "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before", timeout=60)
    assert cell.status == "ok"
    grown = int(worker.run("grown").of("execute_result")[0]["data"]["text/plain"])
    assert grown < 20_000, f"{grown} KiB for 30 MB of text"


def test_history_keeps_what_was_printed_within_bounds(worker):
    worker.run("print('kept')")
    worker.run("for i in range(300): print('z' * 10_000)")
    kept = worker.run("import time; time.sleep(0.1)\no = getattr(get_ipython().history_manager, 'outputs', None)\n"
                      "o is None or (o[1][0].bundle['stream'], sum(map(len, o[2][0].bundle['stream'])) <= 1 << 20)"
                      ).of("execute_result")[0]["data"]["text/plain"]
    assert kept in ("True", "(['kept\\n'], True)")


def test_a_pool_works_for_the_cell_that_submits(worker):
    worker.run("import time, concurrent.futures as cf\npool = cf.ThreadPoolExecutor(1)\npool.submit(print, 'first').result()")
    number = worker.execute("f = pool.submit(lambda: (time.sleep(0.3), print('second')))")
    worker.result(number)
    assert worker.run("f.result(); print('third')").stdout == "third\n"
    assert "".join(f.content["text"] for f in worker.published(number) if f.msg_type == "stream") == "second\n"


def test_memory_that_is_short_for_a_moment_loses_nothing(worker):
    cell = worker.run("""
import resource
limits = resource.getrlimit(resource.RLIMIT_AS)
size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (2 << 20), limits[1]))
hoard = []
try:
    try:
        while True: hoard.append(bytearray(1 << 12))
    except MemoryError: pass
    for i in range(2000):
        try: print('line', i)
        except MemoryError: pass
finally:
    del hoard
    resource.setrlimit(resource.RLIMIT_AS, limits)
print('done')""", timeout=60)
    assert cell.stdout.endswith("done\n")
    assert worker.run("print('after')").stdout == "after\n"
