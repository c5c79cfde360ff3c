"""Descriptors 1 and 2, child processes, forks."""

import time


def said(worker, text, stream="stdout", timeout=15):
    deadline = time.monotonic() + timeout
    while text not in worker.descriptor_text[stream].decode():
        assert time.monotonic() < deadline, worker.descriptor_text
        time.sleep(0.02)


def sent_before(worker, number):
    """What had been printed when the descriptor's text came, for order."""
    return "".join(f.content["text"] for f in worker.published(number) if f.msg_type == "stream")


def test_children_write_to_the_descriptors(worker):
    worker.run("import os, subprocess, sys\nos.system('echo one; echo two >&2')\n"
               "subprocess.run([sys.executable, '-c', 'print(\"three\")'])\nsubprocess.run('echo four', shell=True, stdout=sys.stdout)\n"
               "import ctypes; ctypes.CDLL(None).puts(b'five'); ctypes.CDLL(None).fflush(None)\nprint('six', file=sys.__stdout__)")
    for text in ("one\n", "three\n", "four\n", "five\n", "six\n"):
        said(worker, text)
    said(worker, "two\n", "stderr")


def test_prints_are_sent_before_a_child_may_write(worker):
    for code in ("import os; print('before'); os.system('echo child')",
                 "import subprocess; print('before'); subprocess.run(['echo', 'child'])",
                 "import os, sys; print('before')\npid = os.fork()\nif pid == 0:\n    os.system('echo child'); os._exit(0)\nos.waitpid(pid, 0)",
                 "import os; print('before'); os.posix_spawnp('echo', ['echo', 'child'], os.environ); os.wait()"):
        worker.descriptor_text["stdout"] = b""
        number = worker.execute(code + "\nimport time; time.sleep(0.3)")
        while b"child\n" not in worker.descriptor_text["stdout"]:
            assert time.monotonic()
            time.sleep(0.001)
        assert sent_before(worker, number) == "before\n", code
        worker.result(number)


def test_os_write_keeps_its_place_among_prints(worker):
    cell = worker.run("import os\nfor i in range(3):\n    print('p', i)\n    n = os.write(1, b'w %d\\n' % i)\nos.write(2, b'e\\n')")
    assert cell.stdout == "p 0\nw 0\np 1\nw 1\np 2\nw 2\n" and cell.stderr == "e\n"
    assert cell.of("execute_result")[0]["data"]["text/plain"] == "2"


def test_a_redirected_descriptor_is_left_alone(worker, tmp_path):
    file = tmp_path / "out"
    cell = worker.run(f"import os\nsaved = os.dup(1); f = os.open({str(file)!r}, os.O_CREAT | os.O_WRONLY)\nos.dup2(f, 1)\n"
                      "n = os.write(1, b'to the file'); os.dup2(saved, 1); n")
    assert cell.of("execute_result")[0]["data"]["text/plain"] == "11"
    assert file.read_text() == "to the file"


def test_a_forked_child_prints_but_never_answers(worker):
    cell = worker.run("import os, sys\nprint('parent before')\npid = os.fork()\nif pid == 0:\n    print('child says'); display('dropped')\n"
                      "    sys.stderr.write('child errs\\n')\n    1/0\nos.waitpid(pid, 0)[1] >> 8")
    assert cell.status == "ok" and cell.stdout == "parent before\n"
    assert cell.of("execute_result")[0]["data"]["text/plain"] == "1"  # the child's status: its cell failed
    assert worker.descriptor_text["stdout"].decode() == "child says\n"
    assert "child errs\n" in worker.descriptor_text["stderr"].decode()
    assert "ZeroDivisionError" in worker.descriptor_text["stderr"].decode()
    assert worker.run("1 + 1").of("execute_result")[0]["data"]["text/plain"] == "2"


def test_a_forked_child_that_falls_off_the_end_is_gone(worker):
    cell = worker.run("import os\npid = os.fork()\nif pid: print(os.waitpid(pid, 0)[1])\nelse: print('end of child')")
    assert cell.stdout == "0\n"
    said(worker, "end of child\n")
    cell = worker.run("import asyncio\nawait asyncio.sleep(0)\npid = os.fork()\nif pid: print(os.waitpid(pid, 0)[1])")
    assert cell.stdout == "0\n"
    cell = worker.run("pid = os.fork()\nif pid == 0: raise SystemExit(5)\nos.waitpid(pid, 0)[1] >> 8")
    assert cell.of("execute_result")[0]["data"]["text/plain"] in ("1", "5")


def test_children_do_not_hold_the_socket(worker):
    worker.run("import os, subprocess\npid = os.fork()\nif pid == 0:\n    import time; time.sleep(60); os._exit(0)\n"
               "p = subprocess.Popen(['sleep', '60'])")
    worker.run("import time\ndef sockets(pid):\n    fds = f'/proc/{pid}/fd'\n"
               "    return {os.readlink(f'{fds}/{n}') for n in os.listdir(fds)} & {os.readlink('/proc/self/fd/3')}\n"
               "deadline = time.monotonic() + 10\n"  # a child needs a moment until it runs at all
               "while (sockets(pid) or sockets(p.pid)) and time.monotonic() < deadline: time.sleep(0.05)")
    held = worker.run("os.readlink('/proc/self/fd/3')[:6], sockets(pid), sockets(p.pid)")
    assert held.of("execute_result")[0]["data"]["text/plain"] == "('socket', set(), set())"
    worker.run("import signal; os.kill(pid, signal.SIGKILL); p.kill()")


def test_pools_of_processes(worker):
    cell = worker.run("import multiprocessing as mp\ndef f(x):\n    print('in worker', x); return x * x\n"
                      "with mp.get_context('fork').Pool(2) as pool: r = pool.map(f, range(4))\nr", timeout=60)
    assert cell.of("execute_result")[0]["data"]["text/plain"] == "[0, 1, 4, 9]"
    for x in range(4):
        said(worker, f"in worker {x}\n")
    cell = worker.run("from concurrent.futures import ProcessPoolExecutor\nimport math\n"
                      "with ProcessPoolExecutor(1, mp_context=mp.get_context('spawn')) as pool: r = list(pool.map(math.sqrt, [4]))\nr", timeout=60)
    assert cell.of("execute_result")[0]["data"]["text/plain"] == "[2.0]"


def test_fork_while_other_threads_print(worker):
    cell = worker.run("""
import os, threading
stop = False
def chatter():
    while not stop: print('.', end='')
threads = [threading.Thread(target=chatter) for _ in range(3)]
for t in threads: t.start()
codes = []
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        print('child', flush=True); os._exit(0)
    codes.append(os.waitpid(pid, 0)[1])
stop = True
for t in threads: t.join()
set(codes)""", timeout=60)
    assert cell.of("execute_result")[0]["data"]["text/plain"] == "{0}"
    assert worker.descriptor_text["stdout"].decode().count("child\n") == 20


def test_faulthandler_writes_to_the_descriptor(worker):
    worker.run("import faulthandler; faulthandler.enable(); faulthandler.dump_traceback(file=__import__('sys').__stderr__)")
    worker.execute("import os; os.abort()")
    worker.process.wait(timeout=10)
    said(worker, "Fatal Python error: Aborted", "stderr")


def test_shell_commands(worker):
    assert worker.run("!printf 'a\\nb\\n'").stdout == "a\r\nb\r\n"
    assert worker.run("!exit 3").status == "ok"
    assert worker.run("_exit_code").of("execute_result")[0]["data"]["text/plain"] == "3"
    cell = worker.run("%%bash\necho out; echo err >&2")
    assert cell.stdout == "out\n" and cell.stderr == "err\n"
    first = worker.execute("%%bash\necho mine")
    assert worker.result(first).stdout == "mine\n"
    assert worker.run("%%bash --bg --out o\necho bg").status == "ok"
    assert worker.run("%%bash\nexit 4").error == "CalledProcessError"
