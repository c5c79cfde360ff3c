"""A cell that fails because of the jail says why, after its traceback, and only then."""

import sys

import pytest

pytestmark = pytest.mark.cellblock_only

NETWORK = {
    "a name": "import socket\nsocket.getaddrinfo('example.org', 80)",
    "an address": "import socket\nsocket.create_connection(('192.0.2.1', 80))",
    "urllib": "import urllib.request\nurllib.request.urlopen('https://example.org')",
    "requests": "import requests\nrequests.get('https://example.org')",
    "asyncio": "import asyncio\nawait asyncio.open_connection('example.org', 80)",
    "a notebook that installs": ("import subprocess, sys\n"
                                 "subprocess.check_call([sys.executable, '-m', 'pip', 'install', '--no-index', 'six-of-nowhere'])"),
}


def notes(cell):
    return [line for line in cell.stderr.splitlines() if "cellblock: " in line]  # A program may leave its last line open.


@pytest.mark.parametrize("kind", NETWORK)
def test_errors_of_the_network_are_explained_after_the_traceback(kernel, kind):
    cell = kernel.run(NETWORK[kind])
    assert cell.status == "error" and cell.ename not in (None, "ModuleNotFoundError"), cell
    assert len(notes(cell)) == 1 and "cells have no network. Download" in notes(cell)[0], cell
    error = cell.types.index("error")
    assert "stream" in cell.types[error:], "the note comes before the traceback"


def test_a_refused_connection_is_explained_by_the_loopback(kernel):
    cell = kernel.run("import socket\nsocket.create_connection(('localhost', 5432))")
    assert cell.ename == "ConnectionRefusedError" and "loopback interface of their own" in notes(cell)[0], cell


def test_what_a_cell_handles_is_not_explained(kernel):
    cell = kernel.run("import socket\ntry:\n    socket.getaddrinfo('example.org', 80)\nexcept OSError as error:\n    print(error)")
    assert cell.status == "ok" and notes(cell) == [], cell
    assert notes(kernel.run("1 / 0")) == []


def test_a_program_that_cannot_install_packages_is_explained(kernel):
    cell = kernel.run(f"!{sys.executable} -m pip install --no-index six-of-nowhere")
    assert len(notes(cell)) == 1 and sys.prefix in notes(cell)[0] and "restart the kernel" in notes(cell)[0], cell
    assert notes(kernel.run(f"!{sys.executable} -m pip --version")) == []
    assert notes(kernel.run("!false install")) == []


def test_the_process_limit_is_explained_once(spec, start_kernel):
    code = ("import threading, time\nthreads = [threading.Thread(target=time.sleep, args=(1,)) for _ in range(40)]\n"
            "[thread.start() for thread in threads]")
    for level, words in (("full", "the limit of 24 processes and threads was reached"),
                         ("namespaced", "at most 24 processes and threads may run")):
        kernel = start_kernel(spec.__class__(spec.name, (*spec.argv, "--processes=24", f"--isolation={level}"), spec.env,
                                             spec.interrupt_mode, spec.directory))
        cell = kernel.run(code)
        assert cell.ename == "RuntimeError", cell
        assert len(notes(cell)) == 1 and words in notes(cell)[0], cell
