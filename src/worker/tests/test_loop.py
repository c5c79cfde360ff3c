"""The asyncio loop of the main thread: one for the whole life, running also during ordinary cells."""


def value(cell):
    return cell.of("execute_result")[0]["data"]["text/plain"]


def test_the_first_cell_that_imports_asyncio_finds_it_running(start_worker):
    for code in ("import asyncio\nasyncio.get_running_loop().is_running(), asyncio.get_event_loop() is asyncio.get_running_loop()",
                 "import concurrent.futures, asyncio.events as e\ne.get_running_loop().is_running(), True"):
        assert value(start_worker().run(code)) == "(True, True)"


def test_tasks_made_in_the_first_cell_run(start_worker):
    worker = start_worker()
    worker.run("import asyncio\nasync def f():\n    await asyncio.sleep(0.05); return 'ran'\nt = asyncio.create_task(f())\n"
               "loop = asyncio.get_running_loop()")
    assert value(worker.run("await t, loop is asyncio.get_running_loop()")) == "('ran', True)"


def test_the_first_cell_may_await_at_once(start_worker):
    assert value(start_worker().run("import asyncio\nawait asyncio.sleep(0.01, 'slept')")) == "'slept'"


def test_one_loop_for_all_cells(worker):
    worker.run("import asyncio\nfirst = asyncio.get_event_loop()")
    worker.run("await asyncio.sleep(0); second = asyncio.get_running_loop()")
    assert value(worker.run("first is second is asyncio.get_running_loop(), get_ipython().kernel.io_loop is first")) == "(True, True)"


def test_tasks_run_between_cells(worker):
    worker.run("import asyncio, time\nticks = []\nasync def tick():\n    while True:\n        ticks.append(time.monotonic())\n"
               "        await asyncio.sleep(0.02)\nt = asyncio.create_task(tick())")
    import time

    time.sleep(0.5)
    assert value(worker.run("len(ticks) > 10")) == "True"
    assert worker.run("t.cancel()").status == "ok"


def test_context_variables_persist_over_cells_of_both_kinds(worker):
    worker.run("import asyncio, contextvars\nv = contextvars.ContextVar('v'); v.set(1)")
    assert value(worker.run("await asyncio.sleep(0); v.get()")) == "1"
    worker.run("await asyncio.sleep(0); _ = v.set(2)")
    assert value(worker.run("v.get()")) == "2"


def test_code_that_cancels_or_stops_everything_does_not_end_the_worker(worker):
    worker.run("import asyncio\nasync def reaper():\n    await asyncio.sleep(0.05)\n"
               "    for t in asyncio.all_tasks(): t is not asyncio.current_task() and t.cancel()\n    print('reaped')\n"
               "t = asyncio.create_task(reaper())")
    number = worker.execute("import time; time.sleep(0.1)")
    worker.result(number)
    assert worker.run("await asyncio.sleep(0.2); 1").status in ("ok", "error")
    assert worker.run("2").status == "ok"
    worker.run("asyncio.get_running_loop().stop()")
    assert value(worker.run("await asyncio.sleep(0.01, 3)")) == "3"
    assert worker.run("asyncio.current_task().cancel(); await asyncio.sleep(0.1)").error == "CancelledError"
    assert value(worker.run("await asyncio.sleep(0.01, 4)")) == "4"


def test_errors_in_background_tasks_are_told(worker):
    number = worker.execute("import asyncio, gc\nasync def bad(): 1/0\nt = asyncio.create_task(bad())")
    worker.result(number)
    cell = worker.run("await asyncio.sleep(0.05); del t; gc.collect()")
    assert "ZeroDivisionError" in cell.stderr + "".join(f.content["text"] for f in worker.published(number) if f.msg_type == "stream")


def test_asyncio_run_says_why_it_cannot(worker):
    worker.run("import asyncio")
    assert worker.run("asyncio.run(asyncio.sleep(0))").reply["evalue"] == "asyncio.run() cannot be called from a running event loop"


def test_loop_in_another_thread_is_independent(worker):
    assert worker.run("import asyncio, threading\nasync def f():\n    await asyncio.sleep(0.01); print('there')\n"
                      "t = threading.Thread(target=lambda: asyncio.run(f())); t.start(); t.join()").stdout == "there\n"


def test_subprocesses_of_asyncio(worker):
    assert worker.run("import asyncio\np = await asyncio.create_subprocess_shell('echo out', stdout=asyncio.subprocess.PIPE)\n"
                      "(await p.communicate())[0]").of("execute_result")[0]["data"]["text/plain"] == "b'out\\n'"


def test_timeouts_and_groups(worker):
    cell = worker.run("import asyncio\ntry:\n    await asyncio.wait_for(asyncio.sleep(5), 0.05)\nexcept asyncio.TimeoutError: print('timed out')")
    assert cell.stdout == "timed out\n"


def test_autoawait_can_be_turned_off(worker):
    worker.run("import asyncio\n%autoawait off")
    assert worker.run("await asyncio.sleep(0)").error == "SyntaxError"
    worker.run("%autoawait on")
    assert worker.run("await asyncio.sleep(0)").status == "ok"


def test_transformers_that_add_await_are_honoured(worker):
    worker.run("import asyncio\nasync def f(): return 5\n"
               "get_ipython().input_transformers_post.append(lambda lines: [l.replace('WAIT', 'await') for l in lines])")
    assert value(worker.run("WAIT f()")) == "5"


def test_trio_does_not_warn_of_our_descriptor_for_signals(start_worker, tmp_path):
    (tmp_path / "trio.py").write_text("import warnings\ndef run():\n    warnings.warn('It looks like Trio\\'s signal handling code might have "
                                      "collided with another library', RuntimeWarning)\n    warnings.warn('another', RuntimeWarning)\n")
    cell = start_worker(cwd=tmp_path).run("import trio\ntrio.run()")
    assert "collided" not in cell.stderr and "another" in cell.stderr
