"""A worker for each test, or one for the tests of a module that do not disturb each other."""

import sys
from pathlib import Path

import pytest
from driver import Worker

sys.path.append(str(Path(__file__).parents[1]))  # for modules of the package that can be tested by themselves


@pytest.fixture
def start_worker(tmp_path):
    """Starts workers in a directory of their own; `start_worker(**how)`."""
    started = []

    def start(**how):
        home, notebook = tmp_path / "home", tmp_path / "notebook"
        home.mkdir(exist_ok=True)
        notebook.mkdir(exist_ok=True)
        how.setdefault("cwd", notebook)
        started.append(Worker(home=how.pop("home", home), **how))
        return started[-1].await_hello()

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def worker(start_worker):
    return start_worker()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    worker = Worker(home=home, cwd=home).await_hello()
    yield worker
    worker.close()
