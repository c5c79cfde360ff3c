"""What tests of front ends share: one browser, and servers that must end with nothing left."""

import pytest
from playwright.sync_api import sync_playwright

from lab import CHROMIUM_FLAGS, Server, chromium
from support.node import install


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    """Starts a server of the given Jupyter application for the module's tests."""
    started = []

    def start(application):
        started.append(Server(tmp_path_factory.mktemp(application), application))
        return started[-1]

    yield start
    forced = [left for server in started for left in server.close()]
    assert not forced, f"these outlived their server: {forced}"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """The directory with the clients in Node and their packages."""
    return install(tmp_path_factory.mktemp("node"))
