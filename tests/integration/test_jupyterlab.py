"""JupyterLab in a browser: the launcher, cells, a figure, interrupt, restart, limits. Pictures stay in
build/artifacts for people to look at."""

import re

import nbformat
import pytest
from playwright.sync_api import expect

from lab import PATIENCE_MS, Notebook

DISPLAY_NAME = {"cellblock": "Python (sandboxed)", "python3": "Python 3 (ipykernel)"}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(serve):
    return serve("jupyterlab")


@pytest.fixture
def window(server, browser, artifacts, request):
    expect.set_options(timeout=PATIENCE_MS)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    opened = Notebook(page)
    yield opened
    opened.screenshot(artifacts / f"{request.node.name}.png")
    page.close()
    server.shut_down_kernels()


@pytest.fixture
def notebook(window, server, kernel_name):
    """A new notebook with the kernel under test, chosen in the launcher."""
    window.open_launcher(server.url())
    window.choose_kernel(DISPLAY_NAME[kernel_name])
    return window


def test_the_launcher_offers_the_kernel_and_cells_run(notebook, kernel_name):
    expect(notebook.run("6 * 7")).to_contain_text("42")
    expect(notebook.run("print('to the notebook')")).to_contain_text("to the notebook")
    expect(notebook.run("{}['missing']")).to_contain_text("KeyError")
    expect(notebook.page.locator(".jp-KernelName")).to_contain_text(DISPLAY_NAME[kernel_name])


def test_a_figure_and_a_table_are_shown(notebook):
    figure = notebook.run("import matplotlib.pyplot as plt\nplt.figure(figsize=(4, 2.2))\nplt.plot([1, 3, 2]);")
    expect(figure.locator("img")).to_be_visible()
    assert figure.locator("img").evaluate("image => image.naturalWidth") > 100
    table = notebook.run("import pandas as pd\npd.DataFrame({'city': ['Oslo', 'Turin'], 'rides': [120, 260]})")
    expect(table.locator("table")).to_contain_text("Turin")


def test_the_stop_button_interrupts_and_the_variables_stay(notebook):
    notebook.run("kept = 'kept value'")
    running = notebook.run("import time\nprint('running', flush=True)\ntime.sleep(300)")
    expect(running).to_contain_text("running")
    notebook.wait_until_busy()
    notebook.command("interrupt")
    expect(running).to_contain_text("KeyboardInterrupt")
    notebook.wait_until_idle()
    expect(notebook.run("kept")).to_contain_text("kept value")


def test_restart_gives_a_new_interpreter(notebook):
    notebook.run("gone = 1")
    notebook.wait_until_idle()
    notebook.command("restart")
    notebook.page.click('.jp-Dialog button:has-text("Restart")')
    notebook.page.wait_for_selector(".jp-Dialog", state="detached")
    notebook.wait_until_idle()
    expect(notebook.run("gone")).to_contain_text("NameError")
    expect(notebook.run("'fresh'")).to_contain_text("fresh")


def test_questions_are_asked_in_the_notebook(notebook):
    asking = notebook.run("'Hello ' + input('Your name? ')")
    answer = asking.locator("input.jp-Stdin-input")
    expect(answer).to_be_visible()
    answer.fill("Ada")
    answer.press("Enter")
    expect(asking).to_contain_text("Hello Ada")


def test_a_slider_moves_its_variable(notebook):
    shown = notebook.run("from ipywidgets import interact\n@interact(x=(0, 10))\ndef f(x=3):\n    print('x is', x)")
    expect(shown.locator(".noUi-handle")).to_be_visible()
    expect(shown).to_contain_text("x is 3")
    shown.locator(".noUi-handle").focus()
    notebook.page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("x is 4")


def test_a_slider_is_moved_by_the_mouse_and_the_kernel_knows(notebook):
    shown = notebook.run("from ipywidgets import IntSlider, Label, VBox\n"
                         "slider, said = IntSlider(0, 0, 10), Label('not moved')\n"
                         "slider.observe(lambda change: setattr(said, 'value', f'moved to {change.new}'), 'value')\n"
                         "VBox([slider, said])")
    expect(shown).to_contain_text("not moved")
    notebook.drag(shown.locator(".noUi-handle"), 500)
    expect(shown).to_contain_text("moved to 10")
    expect(notebook.run("slider.value * 100")).to_contain_text("1000")


@pytest.mark.cellblock_only
def test_a_slider_moves_its_text_while_another_cell_runs(notebook):
    """JupyterLab sends what widgets say over a subshell, so the running cell sees it too. (ipykernel 7.4 lets them wait.)"""
    shown = notebook.run("import time\nfrom ipywidgets import IntSlider, Label, VBox\n"
                         "slider, said = IntSlider(0, 0, 10), Label('not moved')\n"
                         "slider.observe(lambda change: setattr(said, 'value', f'moved to {change.new}'), 'value')\n"
                         "VBox([slider, said])")
    expect(shown).to_contain_text("not moved")
    running = notebook.run("print('running', flush=True)\nwhile slider.value != 10:\n    time.sleep(0.05)\n'seen by the cell'")
    expect(running).to_contain_text("running")
    notebook.wait_until_busy()
    notebook.drag(shown.locator(".noUi-handle"), 500)
    expect(shown).to_contain_text("moved to 10")
    expect(running).to_contain_text("seen by the cell")


def test_what_a_button_prints_appears_in_its_output_widget(notebook):
    shown = notebook.run("from ipywidgets import Button, Output, VBox\n"
                         "button, log = Button(description='Press'), Output()\n"
                         "button.on_click(log.capture()(lambda b: print('pressed')))\n"
                         "VBox([button, log])")
    shown.get_by_role("button", name="Press").click()
    expect(shown).to_contain_text("pressed")


def test_restart_and_run_all(notebook):
    first = notebook.run("import os\nruns = globals().get('runs', 0) + 1\nprint('run', runs, 'in', os.times().elapsed)")
    expect(first).to_contain_text("run 1 in")
    second = notebook.run("'and then ' + str(runs * 6 * 7)")
    expect(second).to_contain_text("and then 42")
    before = first.inner_text()
    notebook.command("restart-and-run")
    notebook.page.click('.jp-Dialog button:has-text("Restart")')
    notebook.page.wait_for_selector(".jp-Dialog", state="detached")
    # Both ran again, in an interpreter that counts from one.
    expect(first).not_to_have_text(before)
    expect(first).to_contain_text("run 1 in")
    expect(second).to_contain_text("and then 42")
    expect(notebook.page.locator(".jp-Notebook .jp-CodeCell .jp-InputArea-prompt").nth(1)).to_have_text("[2]:")


def test_tab_offers_names_and_enter_takes_one(notebook, artifacts):
    notebook.run("number_of_apples, number_of_pears = 3, 5")
    notebook.wait_until_idle()
    cell = notebook.write("number_of_")
    notebook.page.keyboard.press("Tab")
    offered = notebook.page.locator(".jp-Completer:visible .jp-Completer-item")
    expect(offered).to_have_count(2)
    expect(offered.nth(1)).to_contain_text("number_of_pears")
    notebook.screenshot(artifacts / "completer.png")
    notebook.page.keyboard.press("ArrowDown")
    notebook.page.keyboard.press("Enter")
    expect(cell.locator(".cm-content")).to_have_text("number_of_pears")


def test_shift_tab_shows_signature_and_documentation(notebook):
    notebook.run("def tariff(zone, *, child=False):\n    '''The price of a ticket.'''\n    return 3 if child else 5")
    notebook.wait_until_idle()
    notebook.write("tariff")
    notebook.page.keyboard.press("Shift+Tab")
    tip = notebook.page.locator(".jp-Tooltip")
    expect(tip).to_contain_text("tariff(zone, *, child=False)")
    expect(tip).to_contain_text("The price of a ticket.")


def test_a_kernel_process_that_dies_is_reported_and_replaced(notebook, server, artifacts):
    notebook.run("import time\ntime.sleep(3600)")
    notebook.wait_until_busy()
    # From outside, as the system may do when memory is short: the kernel itself can say nothing any more.
    [kernel] = server.kernel_processes()
    kernel.kill()
    dialog = notebook.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("appears to have died")
    notebook.screenshot(artifacts / "kernel-death.png")
    dialog.get_by_role("button", name="Ok").click()
    notebook.wait_until_idle()
    expect(notebook.run("'replaced'")).to_contain_text("replaced")


@pytest.mark.cellblock_only
def test_a_limit_is_explained_and_the_kernel_goes_on(window, server, artifacts):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()], metadata={"kernelspec": {
        "name": "cellblock", "display_name": "Python (sandboxed)", "language": "python"}}), server.notebooks / "Rides.ipynb")
    window.open_file(server.url("/tree/Rides.ipynb"))
    figure = window.run("import matplotlib.pyplot as plt\n\nplt.figure(figsize=(5, 2.2))\n"
                        "plt.plot([2022, 2023, 2024], [120, 260, 310], marker='o')\nplt.xticks([2022, 2023, 2024])\n"
                        "plt.title('rides, thousands');")
    expect(figure.locator("img")).to_be_visible()
    stopped = window.run("hoard = []\nwhile True:\n    hoard.append(b'x' * (64 << 20))")
    expect(stopped).to_contain_text("MemoryError")
    expect(stopped).to_contain_text("2.0 GiB")
    expect(window.run("open('/etc/shadow')")).to_contain_text("No such file")
    expect(window.run("6 * 7")).to_contain_text("42")
    window.wait_until_idle()
    window.screenshot(artifacts / "jupyterlab.png")


def test_the_debugger_stops_at_a_breakpoint_set_in_the_gutter(notebook, artifacts):
    page = notebook.page
    page.locator(".jp-DebuggerBugButton").first.click()
    expect(page.locator(".jp-DebuggerBugButton").first).to_have_attribute("aria-pressed", "true")
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    cell.locator(".cm-content").click()
    page.keyboard.insert_text("rides = 120\nmore = rides + 140\nprint('rides:', more)")
    # A click beside the second line.
    gutter = cell.locator(".cm-gutter.cm-breakpoint-gutter")
    line = cell.locator(".cm-line").nth(1).bounding_box()
    column = gutter.bounding_box()
    page.mouse.click(column["x"] + column["width"] / 2, line["y"] + line["height"] / 2)
    expect(page.locator(".jp-DebuggerSidebar .jp-DebuggerBreakpoint")).to_have_count(1)
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    sidebar = page.locator(".jp-DebuggerSidebar")
    expect(sidebar.locator(".jp-DebuggerCallstackFrame")).not_to_have_count(0)
    expect(sidebar.locator(".jp-DebuggerVariables")).to_contain_text("rides")
    expect(sidebar.locator(".jp-DebuggerVariables")).to_contain_text("120")
    expect(cell.locator(".jp-OutputArea")).not_to_contain_text("260")
    notebook.screenshot(artifacts / "debugger.png")
    sidebar.locator('[title^="Continue"], [data-command="debugger:continue"], '
                    '[data-jp-item-name="continue"] jp-button').first.click()
    expect(cell.locator(".jp-OutputArea").first).to_contain_text("rides: 260")
    notebook.wait_until_idle()


def test_the_panel_of_kernel_usage_shows_the_jail(notebook, kernel_name):
    """That of jupyter-resource-usage. What it shows of a sandboxed kernel comes from the jail's cgroup."""
    notebook.page.get_by_role("tab", name="Kernel Usage").or_(
        notebook.page.locator('.lm-TabBar-tab[title="Kernel Usage"]')).first.click()
    panel = notebook.page.locator(".jp-KernelUsage-view")
    notebook.run("held = bytearray(b'x') * (300 << 20)")
    expect(panel).to_contain_text(re.compile(r"Memory: [3-9]\d\d\.\d\d MB"))
    if kernel_name == "cellblock":
        expect(panel).to_contain_text("Kernel Host: cellblock")
        expect(panel).to_contain_text("Total: 2.00 GB")
