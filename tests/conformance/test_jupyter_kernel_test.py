"""The Jupyter project's own conformance suite, in full: every test of it that applies to a Python kernel."""

import jupyter_kernel_test
import pytest


@pytest.fixture(scope="module", autouse=True)
def _kernel_under_test(kernel_name):
    # Before setUpClass, which starts the kernel and is no fixture.
    TestKernel.kernel_name = kernel_name
    TestWelcome.kernel_name = kernel_name


class TestKernel(jupyter_kernel_test.KernelTests):
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = [{"text": "zi", "matches": {"zip"}}]
    complete_code_samples = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result = [{"code": "1+2+3", "result": "6"}, {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"}]
    code_display_data = [{"code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))",
                          "mime": "text/html"}]
    code_history_pattern = "1?2*"
    # As ipykernel declares it: IPython calls the current session 0 when asked for a range, this suite expects its
    # number. Ranges are tested in test_introspection.py.
    supported_history_operations = ("tail", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):
    support_iopub_welcome = True
