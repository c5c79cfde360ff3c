"""Jupyter's servers, and JupyterLab in a headless Chromium: what tests do with mouse and keyboard, by name."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil

from support.kernel import free_port

CHROMIUM_FLAGS = ("--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
                  "--disable-component-update --disable-sync").split()
PATIENCE_MS = 90_000
SETTINGS = {
    # No question about news in the way of the tests.
    "apputils-extension/notification": {"fetchNews": "false"},
    # After a second JupyterLab would show no completions, however good; a busy machine may need more.
    "completer-extension/manager": {"providerTimeout": PATIENCE_MS},
}


def chromium():
    path = shutil.which("chromium")
    if path is None:
        raise LookupError("chromium is missing: apt-get install chromium, or ./test, which does so")
    return path


class Server:
    """A server of our own, with its settings and notebooks in one directory. `application` is the Python module that
    is the server: jupyterlab, notebook, or jupyter_server, which has no pages."""

    def __init__(self, directory, application):
        self.application = application
        self.port = free_port()
        self.token = secrets.token_hex(16)
        self.notebooks = directory / "notebooks"
        self.notebooks.mkdir()
        for plugin, settings in SETTINGS.items():
            file = directory / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
            file.parent.mkdir(parents=True)
            file.write_text(json.dumps(settings))
        self.log = open(directory / "server.log", "w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", application, "--no-browser", "--ServerApp.ip=127.0.0.1", f"--port={self.port}",
             "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}", "--allow-root",
             f"--ServerApp.root_dir={self.notebooks}",
             *([] if application == "jupyter_server" else
               ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"])],
            env={**os.environ, "HOME": str(directory), "JUPYTERLAB_SETTINGS_DIR": str(directory / "settings"),
                 "JUPYTERLAB_WORKSPACES_DIR": str(directory / "workspaces")},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        self._wait_until_it_answers()

    def url(self, path=""):
        place = "/lab" if self.application == "jupyterlab" else ""
        return f"http://127.0.0.1:{self.port}{place}{path}?token={self.token}&reset"

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                self.get("api/status")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        self.log.seek(0)
        raise AssertionError("the server does not start: " + self.log.read().decode(errors="replace")[-3000:])

    def get(self, path):
        return json.loads(self._call("GET", path))

    def wait_for_kernel(self):
        """Until there is one kernel, which a front end listens to and which has nothing to do."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < deadline:
            try:
                kernels = self.get("api/kernels")
            except urllib.error.HTTPError as error:
                # The server cannot describe a kernel that it is starting, and answers with status 500.
                kernels = []
                if error.code != 500:
                    raise
            if [(k["execution_state"], k["connections"] > 0) for k in kernels] == [("idle", True)]:
                return
            time.sleep(0.2)
        raise AssertionError(f"no kernel is ready: {kernels}")

    def post(self, path, body=None):
        return json.loads(self._call("POST", path, json.dumps(body or {}).encode()))

    def delete(self, path):
        self._call("DELETE", path)

    def _call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", method=method, data=body,
                                         headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read()

    def kernel_processes(self):
        return psutil.Process(self.process.pid).children()

    def shut_down_kernels(self):
        for session in self.get("api/sessions"):
            self.delete(f"api/sessions/{session['id']}")

    def close(self):
        """Ends the server and its kernels, by pid; the value is what had to be ended by force."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _, alive = psutil.wait_procs(family, timeout=10)
        for process in alive:
            process.kill()
        self.log.close()
        return alive


class Notebook:
    """One open notebook in a page of the browser."""

    def __init__(self, page):
        self.page = page
        page.set_default_timeout(PATIENCE_MS)

    def open_launcher(self, url):
        self.page.goto(url)
        self.page.wait_for_selector(".jp-Launcher", state="visible")

    def open_file(self, url):
        """An existing notebook, which names its kernel itself; without the file browser beside it."""
        self.page.goto(url)
        self.page.wait_for_selector(".jp-Notebook")
        self.wait_until_idle()
        self.page.keyboard.press("Control+b")

    def choose_kernel(self, display_name):
        self.page.click(f'.jp-LauncherCard[data-category="Notebook"]:has-text("{display_name}")')
        self.page.wait_for_selector(".jp-Notebook")
        self.wait_until_idle()

    def wait_until_idle(self):
        # The status bar follows the connection; the notebook's own indicator says idle before there is one.
        self.page.wait_for_selector('#jp-main-statusbar :text("| Idle")')

    def wait_until_busy(self):
        self.page.wait_for_selector('#jp-main-statusbar :text("| Busy")')

    def write(self, code):
        """Types into the last cell, which is active then, with the cursor at the end."""
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").last
        cell.locator(".cm-content").click()
        # Pasted, not typed: the editor would indent and close brackets by itself.
        self.page.keyboard.insert_text(code)
        return cell

    def run(self, code):
        """Types into the last cell and runs it; its output area is the value."""
        cells = self.page.locator(".jp-Notebook .jp-CodeCell")
        index = cells.count() - 1
        cell = cells.nth(index)
        self.write(code)
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function("n => document.querySelectorAll('.jp-Notebook .jp-CodeCell').length > n", arg=index + 1)
        # The first: output widgets have areas of their own inside.
        return cell.locator(".jp-OutputArea").first

    def drag(self, handle, pixels):
        """Moves a slider's handle to the right with the mouse."""
        handle.scroll_into_view_if_needed()
        box = handle.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + pixels, y, steps=8)
        self.page.mouse.up()

    def command(self, label):
        """A button of the notebook's tool bar, by its name."""
        self.page.locator(f'.jp-NotebookPanel-toolbar [data-jp-item-name="{label}"] jp-button, '
                          f'.jp-NotebookPanel-toolbar [data-jp-item-name="{label}"] button').first.click()

    def screenshot(self, path):
        self.page.screenshot(path=str(path))
