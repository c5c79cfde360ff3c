"""Notebook 7 in a browser: opened from the list of files, cells, a figure, interrupt, restart, a question. Pictures stay
in build/artifacts for people to look at."""

import nbformat
import pytest
from playwright.sync_api import expect

from lab import PATIENCE_MS, Notebook

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(serve):
    return serve("notebook")


@pytest.fixture
def rides(server, kernel_name):
    path = server.notebooks / "Rides.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()], metadata={"kernelspec": {
        "name": kernel_name, "display_name": "x", "language": "python"}}), path)
    return path.name


@pytest.fixture
def notebook(server, browser, rides, artifacts, request):
    expect.set_options(timeout=PATIENCE_MS)
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    opened = Notebook(context.new_page())
    opened.page.goto(server.url(f"/notebooks/{rides}"))
    opened.page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")
    server.wait_for_kernel()
    yield opened
    opened.screenshot(artifacts / f"notebook7-{request.node.name}.png")
    context.close()
    server.shut_down_kernels()


def test_the_list_of_files_opens_a_notebook(server, browser, rides, artifacts):
    expect.set_options(timeout=PATIENCE_MS)
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    listing = context.new_page()
    listing.set_default_timeout(PATIENCE_MS)
    listing.goto(server.url("/tree"))
    with context.expect_page(timeout=PATIENCE_MS) as opened:
        listing.locator(f'.jp-DirListing-item:has-text("{rides}")').dblclick()
    notebook = Notebook(opened.value)
    notebook.page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content")
    server.wait_for_kernel()
    expect(notebook.run("6 * 7")).to_contain_text("42")
    notebook.screenshot(artifacts / "notebook7-opened.png")
    context.close()
    server.shut_down_kernels()


def test_text_a_figure_and_an_error(notebook):
    expect(notebook.run("print('to the notebook')")).to_contain_text("to the notebook")
    figure = notebook.run("import matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2.2))\nplt.plot([1, 3, 2]);")
    expect(figure.locator("img")).to_be_visible()
    assert figure.locator("img").evaluate("image => image.naturalWidth") > 100
    expect(notebook.run("{}['missing']")).to_contain_text("KeyError")


def test_the_stop_button_interrupts(notebook):
    notebook.run("kept = 'kept value'")
    running = notebook.run("import time\nprint('running', flush=True)\ntime.sleep(3600)")
    expect(running).to_contain_text("running")
    notebook.command("interrupt")
    expect(running).to_contain_text("KeyboardInterrupt")
    expect(notebook.run("kept")).to_contain_text("kept value")


def test_a_question_is_asked_and_answered(notebook):
    asking = notebook.run("'Hello ' + input('Your name? ')")
    answer = asking.locator("input.jp-Stdin-input")
    expect(answer).to_be_visible()
    answer.fill("Ada")
    answer.press("Enter")
    expect(asking).to_contain_text("Hello Ada")


def test_restart_gives_a_new_interpreter(notebook, server):
    expect(notebook.run("gone = 1; gone")).to_contain_text("1")
    notebook.command("restart")
    notebook.page.click('.jp-Dialog button:has-text("Restart")')
    notebook.page.wait_for_selector(".jp-Dialog", state="detached")
    server.wait_for_kernel()
    expect(notebook.run("gone")).to_contain_text("NameError")
