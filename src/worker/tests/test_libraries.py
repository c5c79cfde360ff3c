"""What libraries look at to find out where they run: the same whether the environment has ipykernel or not."""

import sys
import venv
from pathlib import Path

import pytest
from driver import Worker

SITE_PACKAGES = next(Path(path) for path in sys.path if path.endswith("site-packages"))


def python_without_ipykernel(directory, also=()):
    """An environment that lacks nothing else of the one that the tests run in."""
    venv.create(directory, symlinks=True)
    there = next(directory.glob("lib/python*/site-packages"))
    for entry in SITE_PACKAGES.iterdir():
        if not entry.name.startswith(("ipykernel", *also)) and not (there / entry.name).exists():
            (there / entry.name).symlink_to(entry)
    return str(directory / "bin" / "python")


@pytest.fixture(scope="module", params=["installed", "absent"])
def worker(request, tmp_path_factory):
    """Of an environment with ipykernel, and of one without."""
    directory = tmp_path_factory.mktemp("environment")
    python = sys.executable if request.param == "installed" else python_without_ipykernel(directory / "venv")
    worker = Worker(python=python, home=directory, cwd=directory).await_hello()
    worker.has_ipykernel = request.param == "installed"
    yield worker
    worker.close()


def value(worker, code):
    cell = worker.run(code)
    assert cell.status == "ok", cell.reply
    return cell.of("execute_result")[0]["data"]["text/plain"]


def error(worker, code):
    cell = worker.run(code)
    assert cell.status == "error", cell.published
    return cell.reply["evalue"]


def test_the_environment_is_the_one_that_the_test_means(worker):
    found = value(worker, "from importlib import metadata\n[d.name for d in metadata.distributions() if d.name == 'ipykernel']")
    assert found == ("['ipykernel']" if worker.has_ipykernel else "[]")


def test_a_version_that_debuggers_accept(worker):
    assert value(worker, "import ipykernel\nipykernel.version_info >= (6,), ipykernel.__version__.count('.')") == "(True, 2)"
    if worker.has_ipykernel:
        assert value(worker, "from importlib import metadata\nmetadata.version('ipykernel') == ipykernel.__version__") == "True"


@pytest.mark.parametrize("question", [
    "get_ipython().__class__.__name__ == 'ZMQInteractiveShell'",
    "type(get_ipython()).__module__ == 'ipykernel.zmqshell'",
    "'ipykernel' in sys.modules",
    "'ipykernel.zmqshell' in sys.modules and 'ipykernel.kernelapp' in sys.modules",
    "'IPKernelApp' in get_ipython().config",
    "isinstance(get_ipython(), ipykernel.zmqshell.ZMQInteractiveShell)",
    "ipykernel.kernelapp.IPKernelApp.initialized()",
    "ipykernel.kernelapp.IPKernelApp.instance().kernel is get_ipython().kernel",
    "ipykernel.kernelapp.IPKernelApp.instance().shell is get_ipython()",
    "traitlets.config.Application.instance() is ipykernel.kernelapp.IPKernelApp.instance()",
    "ipykernel.kernelbase.Kernel.initialized()",
    "ipykernel.kernelbase.Kernel.instance() is get_ipython().kernel",
    "ipykernel.ipkernel.IPythonKernel.instance() is get_ipython().kernel",
    "isinstance(get_ipython().kernel, ipykernel.ipkernel.IPythonKernel)",
    "get_ipython().parent is get_ipython().kernel",
    "isinstance(sys.stdout, ipykernel.iostream.OutStream) and isinstance(sys.stderr, ipykernel.iostream.OutStream)",
    "isinstance(get_ipython().display_pub, ipykernel.zmqshell.ZMQDisplayPublisher)",
    "isinstance(get_ipython().displayhook, ipykernel.displayhook.ZMQShellDisplayHook)",
    "isinstance(get_ipython().kernel.comm_manager, ipykernel.comm.CommManager)",
    "isinstance(comm.create_comm('t'), ipykernel.comm.comm.BaseComm)",
    "get_ipython().compile.__class__ is ipykernel.compiler.XCachingCompiler",
    "ipykernel.jsonutil.json_clean({'a': 1}) == {'a': 1}",
    "get_ipython().kernel.shell is get_ipython() and get_ipython().kernel.user_ns is globals()",
    "get_ipython().kernel.execution_count == get_ipython().execution_count",
    "get_ipython().kernel.get_parent()['content']['code'] != ''",
    "get_ipython().kernel.session.key == b''",
    "get_ipython().kernel._parent_ident['shell'] == [get_ipython().kernel.get_parent()['header']['session'].encode()]",
    "sys.stdout._is_master_process() and sys.stderr._is_master_process()",
    "__import__('ipykernel.pylab.backend_inline', fromlist=['show']).show.__module__.startswith('matplotlib_inline')",
    "'zmq' not in sys.modules and 'tornado' not in sys.modules",
])
def test_libraries_find_the_kernel(worker, question):
    worker.run("import sys, traitlets.config, comm, ipykernel, ipykernel.zmqshell, ipykernel.kernelapp, ipykernel.ipkernel, "
               "ipykernel.comm, ipykernel.iostream, ipykernel.displayhook, ipykernel.compiler, ipykernel.jsonutil")
    assert value(worker, question) == "True"


def test_looking_through_all_modules_does_no_harm(start_worker):
    worker = start_worker()
    assert value(worker, "import inspect, sys, unittest, warnings\n"
                         "with unittest.TestCase().assertWarns(UserWarning):\n    warnings.warn('w')\n"
                         "inspect.getmodule(type(get_ipython()))\n'comm' in sys.modules") == "False"


def test_without_the_comm_package_only_comms_are_missing(tmp_path):
    worker = Worker(python=python_without_ipykernel(tmp_path / "venv", also=("comm", "ipywidgets")), home=tmp_path,
                    cwd=tmp_path).await_hello()
    try:
        assert "cannot import name 'Comm'" in error(worker, "from ipykernel.comm import Comm")
        assert value(worker, "import sys\n[hasattr(module, 'Comm') for module in list(sys.modules.values()) if module].count(True)") == "0"
        assert value(worker, "import ipykernel.zmqshell\nisinstance(get_ipython(), ipykernel.zmqshell.ZMQInteractiveShell)") == "True"
    finally:
        worker.close()


def test_a_comm_of_the_old_name_reaches_the_front_end(worker):
    cell = worker.run("import warnings\nwith warnings.catch_warnings(record=True) as w:\n    warnings.simplefilter('always')\n"
                      "    from ipykernel.comm import Comm\n    c = Comm(target_name='old', data={'a': 1}, metadata={'m': 2})\n"
                      "c.send({'b': 2}, buffers=[b'xyz'])\nprint(w[0].category.__name__)\n"
                      "c.comm_id in get_ipython().kernel.comm_manager.comms")
    assert cell.types[:4] == ["execute_input", "comm_open", "comm_msg", "stream"]
    assert cell.of("comm_open")[0]["target_name"] == "old" and cell.of("comm_open")[0]["data"] == {"a": 1}
    assert [f.buffers for f in cell.published if f.msg_type == "comm_msg"] == [[b"xyz"]]
    assert cell.stdout == "DeprecationWarning\n"
    assert cell.of("execute_result")[0]["data"]["text/plain"] == "True"


def test_connection_information_is_redacted(worker):
    assert value(worker, "import ipykernel, re\ninfo = ipykernel.get_connection_info(unpack=True)\n"
                         "info['key'], info['shell_port'], bool(re.search('kernel-[0-9a-f-]{36}.json$', "
                         "ipykernel.get_connection_file()))") == "(b'', 0, True)"


@pytest.mark.parametrize("code", [
    "from ipykernel.kernelapp import IPKernelApp\nIPKernelApp.launch_instance([])",
    "from ipykernel.kernelbase import Kernel\nclass Echo(Kernel):\n    implementation = 'echo'\nEcho()",
])
def test_a_second_kernel_is_refused_with_a_sentence(worker, code):
    assert "this notebook's kernel runs already" in error(worker, code)


def test_embedding_a_kernel_is_refused_with_a_sentence(worker):
    assert "is a kernel already" in error(worker, "import IPython\nIPython.embed_kernel()")


def test_no_program_is_started_outside(worker):
    assert "jupyter qtconsole --existing" in error(worker, "import ipykernel\nipykernel.connect_qtconsole()")


@pytest.mark.parametrize("gui", ["asyncio", "inline", "none", ""])
def test_event_loops_without_a_display_are_accepted(worker, gui):
    cell = worker.run(f"%gui {gui}")
    assert cell.status == "ok" and cell.stderr == ""


@pytest.mark.parametrize("gui", ["qt", "tk", "gtk3", "wx", "osx"])
def test_toolkits_are_refused_with_a_sentence(worker, gui):
    sentence = f"GUI {gui!r} needs a display, which the jail does not have; %matplotlib inline"
    assert sentence in worker.run(f"%gui {gui}").stderr
    assert sentence in worker.run(f"%matplotlib {gui}").stderr
    assert sentence in error(worker, f"from ipykernel.eventloops import enable_gui\nenable_gui({gui!r})")


def test_an_unknown_gui_is_named(worker):
    assert "Invalid GUI request 'blub'" in worker.run("%gui blub").stderr


def test_registering_an_event_loop_does_no_harm(worker):
    assert worker.run("from ipykernel.eventloops import register_integration\n@register_integration('mine')\n"
                      "def loop(kernel): pass\n@loop.exit\ndef stop(kernel): pass").status == "ok"


def test_modules_without_a_stand_in_are_the_real_ones(start_worker):
    code = "from ipykernel.kernelspec import make_ipkernel_cmd\nimport ipykernel.heartbeat, ipykernel.debugger, ipykernel.embed\n'-f' in make_ipkernel_cmd()"
    assert value(start_worker(), code) == "True"


def test_a_module_that_nobody_has_is_missing(worker):
    assert error(worker, "import ipykernel.nothing") == "No module named 'ipykernel.nothing'"


# The command line of a kernelspec


def configured(start_worker, *arguments):
    return start_worker(arguments=arguments)


def test_traits_are_set(start_worker):
    worker = configured(start_worker, "--InteractiveShell.ast_node_interactivity=all", "--HistoryManager.hist_file=:memory:",
                        "--ZMQInteractiveShell.xmode=Plain")
    assert [c["data"]["text/plain"] for c in worker.run("1\n2").of("display_data", ) + worker.run("1\n2").of("execute_result")] \
        == ["1", "2"]
    assert value(worker, "get_ipython().xmode, get_ipython().history_manager.hist_file") == "('Plain', ':memory:')"
    assert value(worker, "get_ipython().config.InteractiveShell.ast_node_interactivity") == "'all'"


def test_the_application_is_there_when_it_was_configured(start_worker):
    worker = configured(start_worker, "--IPKernelApp.exec_lines=x = 5")
    assert value(worker, "from ipykernel.kernelapp import IPKernelApp\n"
                         "app = IPKernelApp.instance()\napp.kernel is get_ipython().kernel, app.exec_lines, x") == "(True, ['x = 5'], 5)"
    assert "IPKernelApp" in worker.run("%config").stdout


@pytest.mark.parametrize("arguments", [("--ext=autoreload",), ("--ext", "autoreload"), ("--IPKernelApp.extensions=autoreload",),
                                       ("--IPKernelApp.extra_extensions=autoreload",)])
def test_extensions_are_loaded(start_worker, arguments):
    worker = configured(start_worker, *arguments)
    assert value(worker, "'IPython.extensions.autoreload' in get_ipython().extension_manager.loaded") == "True"


def test_matplotlib_is_set_up(start_worker):
    worker = configured(start_worker, "--matplotlib=inline")
    assert value(worker, "import matplotlib\nmatplotlib.get_backend().lower()") in ("'inline'", "'module://matplotlib_inline.backend_inline'")


def test_pylab_fills_the_namespace(start_worker):
    assert value(configured(start_worker, "--pylab=inline"), "linspace(0, 1, 3).tolist()") == "[0.0, 0.5, 1.0]"


def test_an_extension_that_fails_is_said_and_the_kernel_lives(start_worker):
    worker = configured(start_worker, "--ext=no_such_extension")
    assert value(worker, "1") == "1"
    assert b"Error in loading extension: no_such_extension" in worker.descriptor_text["stderr"]


def test_a_value_of_the_wrong_type_ends_the_worker_with_its_message(tmp_path):
    worker = Worker(home=tmp_path, cwd=tmp_path, arguments=["--InteractiveShell.cache_size=many"])
    assert worker.process.wait(timeout=20) == 5
    worker._reader.join(timeout=10)
    assert b"IPython refuses an option" in worker.descriptor_text["stderr"] and b"cache_size" in worker.descriptor_text["stderr"]
    worker.close()


# Profiles


@pytest.fixture
def profile(tmp_path):
    directory = tmp_path / "profile_given"
    (directory / "startup").mkdir(parents=True)
    (directory / "ipython_config.py").write_text("c = get_config()\nc.InteractiveShell.xmode = 'Plain'\n"
                                                 "c.InteractiveShellApp.exec_lines = ['from_lines = 7']\n")
    (directory / "ipython_kernel_config.py").write_text("c = get_config()\nc.IPKernelApp.extensions = ['autoreload']\n")
    (directory / "startup" / "10-first.py").write_text("from_startup = 6\nprint('said at start')\n")
    return directory


def test_a_profile_is_obeyed_and_left_alone(start_worker, profile):
    before = {path: path.stat().st_mtime_ns for path in profile.rglob("*")}
    worker = configured(start_worker, f"--profile-dir={profile}")
    assert value(worker, "from_startup, from_lines, get_ipython().xmode") == "(6, 7, 'Plain')"
    assert value(worker, "[n for n in get_ipython().extension_manager.loaded if 'autoreload' in n] != []") == "True"
    worker.run("%store from_lines\nget_ipython().profile_dir.location")
    assert value(worker, "get_ipython().profile_dir.location.endswith('.ipython/profile_default')") == "True"
    assert {path: path.stat().st_mtime_ns for path in profile.rglob("*")} == before


def test_the_command_line_wins_over_the_profile(start_worker, profile):
    worker = configured(start_worker, f"--profile-dir={profile}", "--InteractiveShell.xmode=Minimal")
    assert value(worker, "get_ipython().xmode") == "'Minimal'"


def test_an_error_in_a_startup_file_is_shown_without_a_parent(start_worker, profile):
    (profile / "startup" / "20-second.py").write_text("1 / 0\n")
    (profile / "startup" / "30-third.py").write_text("from_third = 8\n")
    worker = configured(start_worker, f"--profile-dir={profile}")
    assert value(worker, "from_startup") == "6"
    errors = [f for f in worker.received if f.msg_type == "error"]
    assert [(f.parent, f.content["ename"]) for f in errors] == [(0, "ZeroDivisionError")]
    assert "20-second.py" in "".join(errors[0].content["traceback"])
    # As with ipykernel, files after the one that failed are not run.
    assert "NameError" == worker.run("from_third").error


def test_an_error_in_the_configuration_is_said_and_the_kernel_lives(start_worker, profile):
    (profile / "ipython_config.py").write_text("c.InteractiveShell.xmode = = 'Plain'\n")
    worker = configured(start_worker, f"--profile-dir={profile}")
    assert value(worker, "from_startup") == "6"
    assert b"Exception while loading config file" in worker.descriptor_text["stderr"]


def test_a_slow_startup_file_can_be_interrupted(start_worker, profile):
    (profile / "startup" / "20-slow.py").write_text("import os, time\nos.write(2, b'sleeping')\ntime.sleep(60)\n")
    worker = configured(start_worker, f"--profile-dir={profile}")
    worker.wait_for(lambda f: f.msg_type == "stream" and "sleeping" in f.content["text"])
    worker.interrupt()
    assert value(worker, "from_startup") == "6"


# Environment


def test_variables_of_the_terminal(worker):
    assert value(worker, "import os\n[os.environ.get(n) for n in ('TERM', 'CLICOLOR', 'CLICOLOR_FORCE', 'FORCE_COLOR', 'PAGER', "
                         "'GIT_PAGER', 'MPLBACKEND')]") == (
        "['xterm-color',\n '1',\n '1',\n '1',\n 'cat',\n 'cat',\n 'module://matplotlib_inline.backend_inline']")


def test_the_notebooks_name_is_a_variable(start_worker):
    worker = start_worker(env={"JPY_SESSION_NAME": "/notebooks/a notebook.ipynb", "MPLBACKEND": "agg"})
    assert value(worker, "import os\n__session__, os.environ['MPLBACKEND']") == "('/notebooks/a notebook.ipynb', 'agg')"
