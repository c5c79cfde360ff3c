"""Cells whose messages must equal ipykernel's. record_reference.py runs them in ipykernel, test_reference.py in the worker.

A scenario is a list of steps in one fresh kernel: code, or (code, changes of the execute_request), or
{"msg_type": …, "content": …} for other requests.
"""


def ask(msg_type, **content):
    return {"msg_type": msg_type, "content": content}


def complete(code, cursor_pos=None):
    return ask("complete_request", code=code, cursor_pos=len(code) if cursor_pos is None else cursor_pos)


def inspect(code, cursor_pos=None, detail_level=0):
    return ask("inspect_request", code=code, cursor_pos=len(code) if cursor_pos is None else cursor_pos,
               detail_level=detail_level)


def history(**content):
    return ask("history_request", **{"output": False, "raw": True, **content})


PROPERTY_THAT_FAILS = "class P:\n    def __repr__(self): raise ValueError('no repr')\nP()"

SCENARIOS = {
    "counts": ["x = 1", "", "  \n", ("x", {"silent": True}), "x", ("x", {"store_history": False}), "x + 1",
               ("y = 3", {"store_history": False}), "In, Out", "_, __, ___"],
    "silent": [("print('out'); 5", {"silent": True}), ("1/0", {"silent": True}), "1",
               ("7", {"silent": True, "store_history": True})],
    "not_stored_error": [("1/0", {"store_history": False}), "1/0", ("_", {"store_history": False})],
    "user_expressions": [
        ("a = 2", {"user_expressions": {"ok": "a * 3", "text": "'é'", "bad": "nope", "zero": "1/0",
                                        "rich": "__import__('IPython').display.HTML('<b>x</b>')"}}),
        ("1/0", {"user_expressions": {"a": "a"}}),
        ("", {"user_expressions": {"a": "a"}}),
        ("a", {"user_expressions": {"a": "a +"}, "silent": True})],
    "payloads": ["get_ipython().set_next_input('next')", "get_ipython().set_next_input('again', replace=True)",
                 "?int.bit_length", "len?", "%page 'text'", "nothing_here?", "%pinfo nothing_here",
                 "get_ipython().set_next_input('a'); get_ipython().set_next_input('b')", "1/0",
                 "get_ipython().payload_manager.write_payload({'source': 's', 'n': 1}); 1/0", "%recall 1", "%load_ext nope"],
    "exit": ["exit"],
    "quit_call": ["quit()"],
    "exit_keep": ["exit(keep_kernel=True)", "1"],
    "errors": ["1/0", "def f():\n    return g()\ndef g():\n    return {}['k']\nf()", "nope", "import nope_nope",
               "x = (", "for", "  x = 1\n y = 2", "def f():\nreturn 1", "raise SystemExit", "raise SystemExit(3)",
               "raise KeyboardInterrupt", "raise KeyboardInterrupt('why')", "raise Exception", "raise BaseException('b')",
               "assert False, 'msg'", "return 1", "yield 1", "x = 1; x.y.z", "'a' + 1", "%nope", "%%nope\nx", "%timeit",
               "compile('x y', 'f.py', 'exec')", "eval('1 +')", "int('x', base=10)", "print(undefined_name)",
               "raise UnicodeDecodeError('utf-8', b'a', 0, 1, 'r')", "raise OSError(2, 'No', 'file')"],
    "chained": ["try:\n    1/0\nexcept Exception as e:\n    raise ValueError('second') from e",
                "try:\n    1/0\nexcept Exception:\n    {}['k']", "try:\n    1/0\nexcept Exception:\n    raise ValueError from None",
                "e = ValueError('n')\ne.add_note('a note')\nraise e",
                "raise ExceptionGroup('g', [ValueError(1), KeyError('k')])"],
    "strange_errors": ["class E(Exception):\n    def __str__(self): raise RuntimeError('in str')\nraise E",
                       "class R(Exception):\n    def _render_traceback_(self): return ['one', 'two']\nraise R('x')",
                       "def f(n): return f(n + 1)\nf(0)", PROPERTY_THAT_FAILS, "1",
                       "class D:\n    def _repr_html_(self): raise ValueError('html')\nD()",
                       "class M:\n    def _repr_mimebundle_(self, **k): return {'text/plain': 'p', 'x/y': {'a': [1, None]}}\nM()",
                       "raise ValueError('x' * 300)", "raise ValueError('line 1\\nline 2')", "raise ValueError('é ☃ 𝒳')"],
    "tracebacks_again": ["1/0", "%tb", "import sys; sys.last_type", "%xmode Plain", "1/0", "%xmode Minimal", "1/0",
                         "%xmode Verbose", "a = 5\na/0", "%xmode Context", "%colors NoColor", "1/0"],
    "streams": ["print('a'); print('b')", "import sys\nprint('e', file=sys.stderr)", "print('no newline', end='')",
                "sys.stdout.write('abc')", "sys.stdout.write('')", "sys.stdout.writelines(['x', 'y'])",
                "sys.stdout.write(5)", "sys.stdout.write(b'x')", "print('é ☃ 𝒳')", "print('a\\rb\\x1b[31mred\\x1b[0m')",
                "sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.writable(), sys.stdout.readable(), sys.stdout.name",
                "type(sys.stdout).__name__, type(sys.stdout).__module__, sys.stdout.closed", "sys.stdout.read()",
                "import warnings; warnings.warn('careful')", "import logging; logging.warning('logged')",
                "print('x', flush=True)", "print(1); display(2); print(3)", "print(1); 2", "print(1); 1/0"],
    "displays": ["display(1)", "display('a', 'b')", "display({'text/plain': 'p', 'text/html': '<b>'}, raw=True)",
                 "h = display('one', display_id=True)\nh is not None", "d = display('x', display_id='here'); d.update('y')",
                 "from IPython.display import *\nHTML('<i>h</i>')", "Markdown('# m')", "Latex('$x$')", "JSON({'a': [1, 2]})",
                 "Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + b'0' * 8)", "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')",
                 "clear_output()", "clear_output(wait=True)", "update_display('z', display_id='here')",
                 "display('m', metadata={'k': 1})", "display(HTML('a'), include=['text/html'])", "publish_display_data({'a/b': 1})",
                 "display()", "Javascript('1')", "display(transient={'t': 1}, display_id='q')",
                 "display({'a': 1}, raw=True, metadata={'m': {'n': 1}})"],
    "results": ["None", "1;", "1 ;  # c", "'text'", "x = 5", "x; x + 1", "[i for i in range(3)]", "{'a': {1, 2}}", "...",
                "list(range(2000))", "b'bytes'", "float('nan')", "1\n2\n3", "'''a\nb'''", "lambda: 0 and None",
                "type", "object.__doc__[:10]", "if True:\n    5", "import os; os.sep", "%config InteractiveShell.ast_node_interactivity = 'all'",
                "1\n2\n3", "_, _19"],
    "json": ["display({'image/png': b'abc', 'text/plain': ''}, raw=True)",
                    "display({'application/json': {'b': b'xyz', 't': (1, 2), 's': {3}, 1: 2}, 'text/plain': ''}, raw=True)",
                    "import datetime\ndisplay({'x/y': {'d': datetime.date(2020, 1, 2), 't': datetime.datetime(2020, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)}}, raw=True)",
                    "display({'x/y': {'big': 2 ** 80, 'f': 1e300, 'neg': -0.0, 'none': None, 'yes': True}}, raw=True)",
                    "import numpy as np\ndisplay({'x/y': {'i': np.int64(3), 'f': np.float32(0.5), 'a': np.arange(3), 'b': np.bool_(True) and 1}}, raw=True)",
                    "display({'x/y': range(3)}, raw=True)", "display('x', metadata={'k': np.float64(2.5)})",
                    "display({'x/y': object}, raw=True)"],
    "magics": ["a = 1; b = 's'", "%who", "%whos", "%env NOPE_NOPE", "%%capture c\nprint('x'); 1",
               "c.stdout", "%%writefile cellblock-written.txt\nhello", "%less cellblock-written.txt", "%cat cellblock-written.txt",
               "%run /tmp/nope_nope.py", "%alias", "%history", "%autosave 60", "%autosave x", "%less", "%edit cellblock-written.txt",
               "%autocall", "%precision 3", "3.14159", "%pprint", "%reset -f", "a", "%macro m 1", "%magic_nope",
               "%%html\n<b>x</b>", "%%javascript\n1", "%%latex\nx", "%%markdown\nx", "%%svg\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "%doctest_mode", "%automagic"],
    "commands": ["!echo hi", "!false", "_exit_code", "x = !echo captured\nx", "!echo err >&2", "%%bash\necho out; echo err >&2",
                 "%%bash\nexit 3", "!sleep 0 &", "%sx echo sx", "v = 'val'\n!echo {v} $v", "%%script cat\nstdin", "!test -t 1 && echo tty",
                 "%%sh\necho sh", "%system echo sys"],
    "stdin_refused": ["input('p')", "import getpass; getpass.getpass()", "print('before'); input()"],
    "async": ["import asyncio\nawait asyncio.sleep(0)", "await asyncio.sleep(0, 5)", "async def f():\n    return 7\nawait f()",
              "await f() + 1", "async with asyncio.Lock() as l: print('locked')", "async for i in nope(): pass",
              "async def g():\n    for i in range(3): yield i\nasync for i in g(): print(i)", "[i async for i in g()]",
              "await asyncio.gather(f(), f())", "async def bad():\n    1/0\nawait bad()", "asyncio.get_running_loop().is_running()",
              "asyncio.run(f())", "t = asyncio.create_task(f()); t.done()", "t.done(), await t", "await nope", "%autoawait",
              "x = await f()\nx", "print(await f()); await f()", "import asyncio; asyncio.current_task() is not None",
              ("await f()", {"silent": True}), ("await f()", {"store_history": False}), "_"],
    "threads": ["import threading\nt = threading.Thread(target=print, args=('from thread',)); t.start(); t.join()",
                "1",
                "t = threading.Thread(target=display, args=('shown',)); t.start(); t.join()"],
    "shell_object": ["ip = get_ipython(); type(ip).__name__, type(ip).__module__", "ip.execution_count",
                     "'IPKernelApp' in ip.config", "sorted(k for k in ip.kernel.get_parent() if k != 'tracker')",
                     "ip.kernel.get_parent()['header']['msg_type']", "ip.parent_header['content']['code']",
                     "type(ip.kernel.get_parent()['header']['date']).__name__", "ip.display_pub.topic",
                     "type(ip.display_pub).__name__, type(ip.displayhook).__name__, type(ip.kernel).__name__",
                     "import os; {k: os.environ.get(k) for k in ('TERM','CLICOLOR','FORCE_COLOR','CLICOLOR_FORCE','PAGER','GIT_PAGER','MPLBACKEND')}",
                     "import sys; '' in sys.path, __name__, '__file__' in globals(), __doc__", "sorted(n for n in globals() if not n.startswith('_i'))",
                     "import signal; signal.getsignal(signal.SIGINT) is signal.default_int_handler",
                     "import inspect\ndef f():\n    return 'source'\ninspect.getsource(f)", "f.__code__.co_filename == __import__('inspect').getsourcefile(f)",
                     "import __main__; __main__.f is f", "__IPYTHON__", "ip.kernel.shell is ip"],
    "hooks": ["kept = []\ndef hook(m):\n    kept.append((m['header']['msg_type'], m['content']))\n    return None\n"
              "pub = get_ipython().display_pub\npub.register_hook(hook)", "display('hidden')", "kept[-1]",
              "pub.unregister_hook(hook), pub.unregister_hook(hook)", "display('seen')",
              "events = []\nget_ipython().events.register('pre_run_cell', lambda info: events.append(info.raw_cell))", "1", "events",
              "get_ipython().events.register('post_run_cell', lambda r: print('post', r.success))", "1", "1/0",
              "def bad(): raise ValueError('in hook')\nget_ipython().events.register('post_execute', bad)", "1"],
    # Without jedi: it gives up on types after 400 ms, so its answers depend on the machine.
    "complete": ["%config Completer.use_jedi = False", complete("pri"), "import os\nalpha = 'x'\nalphabet = 1", complete("alph"), complete("os.path.joi"),
                 complete("é = 1; alpha.up"), complete("%who"), complete("%%ba"), complete("alpha.up\nx", 8), complete("𝒳 = alphab"),
                 complete("nope_nope."), complete("ab"), complete("d = {'key': 1}; d['"),
                 complete("\\alpha"), complete("alpha.")],
    "inspect": ["import os\nclass K:\n    '''A class.'''\n    def m(self, a, b=2):\n        '''A method.'''\n        return a\nk = K()",
                inspect("K"), inspect("k.m("), inspect("k.m(", detail_level=1), inspect("nope_nope"), inspect("k"), inspect("len"),
                inspect("os.path.join(", 8), inspect("%who"), inspect(""), inspect("K", 0)],
    "is_complete": [ask("is_complete_request", code=code) for code in
                    ("1", "for i in x:", "for i in x:\n    y", "(", "x = ", "if x:\n  y\n", "def", "%%bash\nx", "'''a", "!ls", "x?", "")],
    "history": ["a = 1", "a", "2/0", "%who_nope", history(hist_access_type="tail", n=3), history(hist_access_type="tail", n=2, raw=False),
                history(hist_access_type="range", session=0, start=1, stop=3), history(hist_access_type="range", session=0, start=1, stop=3, output=True),
                history(hist_access_type="search", pattern="a*", n=5), history(hist_access_type="search", pattern="a*", unique=True),
                "a = 1", history(hist_access_type="search", pattern="a*", unique=True, n=9), history(hist_access_type="nope")],
    "comms": ["from comm import create_comm, get_comm_manager\n"
              "def opened(comm, msg):\n    print('opened', msg['content']['data'], len(msg['buffers']), flush=True)\n"
              "    comm.on_msg(lambda m: (print('got', m['content']['data'], flush=True), comm.send({'echo': 1}, {'m': 2}, [b'buf'])))\n"
              "    comm.on_close(lambda m: print('closed', flush=True))\nget_comm_manager().register_target('t', opened)",
              ask("comm_open", comm_id="c1", target_name="t", data={"x": 1}), ask("comm_info_request"),
              ask("comm_msg", comm_id="c1", data={"y": 2}), ask("comm_info_request", target_name="t"),
              ask("comm_info_request", target_name="other"), ask("comm_close", comm_id="c1", data={}), ask("comm_info_request"),
              ask("comm_open", comm_id="c2", target_name="unknown", data={}), ask("comm_msg", comm_id="c9", data={}),
              "c = create_comm(target_name='front', data={'a': 1}, comm_id='mine', metadata={'v': 1}, buffers=[b'12'])", "c.send({'b': 2})",
              "c.close()", "def bad(comm, msg): 1/0\nget_comm_manager().register_target('bad', bad)"],
    "matplotlib": ["%matplotlib inline", "import matplotlib; matplotlib.get_backend()",
                   "import matplotlib.pyplot as plt\nplt.plot([1, 2]);", "plt.gcf() is not None and plt.close('all')",
                   "fig = plt.figure(); plt.close(fig); 1"],
    "matplotlib_by_environment": ["import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])"],
    "pandas": ["import pandas as pd\npd.DataFrame({'a': [1, 2]})", "pd.Series([1])"],
    "autoreload_and_friends": ["%load_ext autoreload", "%autoreload 2", "1",
                               "%pdb", "%pdb off"],
    "tokens": ["# only a comment", "\n\n1", "1 # c", "\tx = 1", "x = 1\r\ny = 2\r\ny", "print('''\n%notmagic\n''')", "x = %pwd\nx is not None",
               "ls = 1; ls", "'\\u00e9'", "1;;"],
}
