"""JupyterLab in a browser: the launcher, cells, a figure, interrupt, restart, limits. Pictures stay in
build/artifacts for people to look at."""

import pytest
from playwright.sync_api import expect, sync_playwright

from lab import CHROMIUM_FLAGS, PATIENCE_MS, Notebook, Server, chromium

DISPLAY_NAME = {"cellblock": "Python (sandboxed)", "python3": "Python 3 (ipykernel)"}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("lab"))
    yield running
    forced = running.close()
    assert not forced, f"these outlived their server: {forced}"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield started
        started.close()


@pytest.fixture
def notebook(server, browser, kernel_name, artifacts, request):
    expect.set_options(timeout=PATIENCE_MS)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    opened = Notebook(page)
    opened.open_launcher(server.url + "&reset")
    yield opened
    opened.screenshot(artifacts / f"{request.node.name}.png")
    page.close()
    server.shut_down_kernels()


def test_the_launcher_offers_the_kernel_and_cells_run(notebook, kernel_name):
    notebook.choose_kernel(DISPLAY_NAME[kernel_name])
    expect(notebook.run("6 * 7")).to_contain_text("42")
    expect(notebook.run("print('to the notebook')")).to_contain_text("to the notebook")
    expect(notebook.run("{}['missing']")).to_contain_text("KeyError")
    expect(notebook.page.locator(".jp-KernelName")).to_contain_text(DISPLAY_NAME[kernel_name])


def test_a_figure_and_a_table_are_shown(notebook, kernel_name):
    notebook.choose_kernel(DISPLAY_NAME[kernel_name])
    figure = notebook.run("import matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2.2))\nplt.plot([1, 3, 2]);")
    expect(figure.locator("img")).to_be_visible()
    assert figure.locator("img").evaluate("image => image.naturalWidth") > 100
    table = notebook.run("import pandas as pd\npd.DataFrame({'city': ['Oslo', 'Turin'], 'rides': [120, 260]})")
    expect(table.locator("table")).to_contain_text("Turin")


def test_the_stop_button_interrupts_and_the_variables_stay(notebook, kernel_name):
    notebook.choose_kernel(DISPLAY_NAME[kernel_name])
    notebook.run("kept = 'kept value'")
    running = notebook.run("import time\nprint('running', flush=True)\ntime.sleep(300)")
    expect(running).to_contain_text("running")
    notebook.wait_until_busy()
    notebook.command("interrupt")
    expect(running).to_contain_text("KeyboardInterrupt")
    notebook.wait_until_idle()
    expect(notebook.run("kept")).to_contain_text("kept value")


def test_restart_gives_a_new_interpreter(notebook, kernel_name):
    notebook.choose_kernel(DISPLAY_NAME[kernel_name])
    notebook.run("gone = 1")
    notebook.wait_until_idle()
    notebook.command("restart")
    notebook.page.click('.jp-Dialog button:has-text("Restart")')
    notebook.page.wait_for_selector(".jp-Dialog", state="detached")
    notebook.wait_until_idle()
    expect(notebook.run("gone")).to_contain_text("NameError")
    expect(notebook.run("'fresh'")).to_contain_text("fresh")


def test_questions_are_asked_in_the_notebook(notebook, kernel_name):
    notebook.choose_kernel(DISPLAY_NAME[kernel_name])
    asking = notebook.run("'Hello ' + input('Your name? ')")
    answer = asking.locator("input.jp-Stdin-input")
    expect(answer).to_be_visible()
    answer.fill("Ada")
    answer.press("Enter")
    expect(asking).to_contain_text("Hello Ada")


def test_a_slider_moves_its_variable(notebook, kernel_name):
    notebook.choose_kernel(DISPLAY_NAME[kernel_name])
    shown = notebook.run("from ipywidgets import interact\n@interact(x=(0, 10))\ndef f(x=3):\n    print('x is', x)")
    expect(shown.locator(".noUi-handle")).to_be_visible()
    expect(shown).to_contain_text("x is 3")
    shown.locator(".noUi-handle").focus()
    notebook.page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("x is 4")


@pytest.mark.cellblock_only
def test_a_limit_is_explained_and_the_kernel_goes_on(notebook, kernel_name, artifacts):
    notebook.choose_kernel(DISPLAY_NAME[kernel_name])
    notebook.run("import matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2))\nplt.plot([1, 3, 2]);")
    stopped = notebook.run("hoard = []\nwhile True:\n    hoard.append(b'x' * (64 << 20))")
    expect(stopped).to_contain_text("MemoryLimitExceeded")
    expect(stopped).to_contain_text("2.0 GiB")
    expect(notebook.run("6 * 7")).to_contain_text("42")
    notebook.wait_until_idle()
    notebook.screenshot(artifacts / "jupyterlab.png")
