"""Widgets, message for message as ipykernel: each conversation is held with both kernels and what they say is compared.

Only ids are normalised, and texts of a stream are joined, because their chunks follow the clock.
"""

import json
import re

import pytest
from support.installation import read_spec
from support.kernel import Kernel
from support.messages import collect_until_idle


class Front:
    """What a front end with a widget manager does with one kernel."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.said = []
        self.requests = []
        self.kernel.run("import ipywidgets\nfrom ipywidgets import *\nfrom IPython.display import display", timeout=120)

    def run(self, code):
        cell = self.kernel.run(code, timeout=120)
        self._keep(cell.messages)
        assert cell.status == "ok" or "raise" in code or "1 / 0" in code, cell
        return cell

    def model_id(self, expression):
        reply = self.kernel.run("", silent=True, user_expressions={"id": f"({expression}).model_id"}).content
        return reply["user_expressions"]["id"]["data"]["text/plain"].strip("'")

    def comm_msg(self, expression, data, buffers=(), comm_id=None):
        self._send("comm_msg", {"comm_id": comm_id or self.model_id(expression), "data": data}, buffers)

    def set(self, expression, buffer_paths=(), buffers=(), **state):
        self.comm_msg(expression, {"method": "update", "state": state, "buffer_paths": list(buffer_paths)}, buffers)

    def open(self, target_name, data, comm_id, version):
        self._send("comm_open", {"comm_id": comm_id, "target_name": target_name, "data": data}, (), version)

    def _send(self, msg_type, content, buffers, version="2.1.0"):
        session = self.kernel.client.session
        message = session.msg(msg_type, content, metadata={"version": version})
        session.send(self.kernel.client.shell_channel.socket, message, buffers=list(buffers))
        self._keep(collect_until_idle(self.kernel.client, message["header"]["msg_id"]))

    def _keep(self, messages):
        self.requests.append(messages[0]["parent_header"]["msg_id"])
        for message in messages:
            kind, content = message["header"]["msg_type"], message["content"]
            last = self.said[-1] if self.said else None
            if kind == "stream" and last and last[0] == "stream" and last[2]["name"] == content["name"]:
                last[2]["text"] += content["text"]
                continue
            self.said.append((kind, message["parent_header"]["msg_id"], content, message["metadata"],
                              [bytes(buffer) for buffer in message["buffers"]]))

    def normalised(self):
        """The messages, ids replaced by the order in which they appear."""
        ids = {}

        def number(match):
            return ids.setdefault(match[0], f"id-{len(ids)}")

        text = json.dumps([said[:4] for said in self.said], default=str)
        for position, request in enumerate(self.requests):
            text = text.replace(request, f"request-{position}")
        text = re.sub(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|cell-[0-9]+", number, text)
        text = re.sub(r" at 0x[0-9a-f]+", " at 0x1", text)
        text = re.sub(r"ipykernel_\d+/\d+", "a-cell", text)
        text = re.sub(r'"execution_count": \d+|In\[\d+\]', "a-count", text)
        return [[*said, buffers] for said, (*_, buffers) in
                zip(json.loads(re.sub("a-count(?=[,}])", '"count": 0', text)), self.said, strict=True)]


@pytest.fixture(scope="module")
def reference():
    spec = read_spec("python3")
    kernel = Kernel(spec.argv, env=spec.env)
    yield kernel
    kernel.discard()


@pytest.fixture
def hold(kernel, reference):
    """Holds a conversation with both kernels; what Cellblock's said, once it has turned out to be the same."""
    def both(conversation, texts_apart=False):
        fronts = []
        for each in (reference, kernel):
            front = Front(each)
            conversation(front)
            fronts.append(front)
        expected, got = (front.normalised() for front in fronts)
        if texts_apart:
            expected, got = _texts_apart(expected), _texts_apart(got)
        assert [said[0] for said in got] == [said[0] for said in expected]
        for ours, theirs in zip(got, expected, strict=True):
            assert ours == theirs
        return fronts[1].said

    return both


def _texts_apart(said):
    """ipykernel sends text by the clock, unless other output follows; comm messages do not count as such there."""
    texts = {}
    for kind, request, content, *_ in said:
        if kind == "stream":
            texts[request, content["name"]] = texts.get((request, content["name"]), "") + content["text"]
    return [each for each in said if each[0] != "stream"] + [["texts", texts]]


def types(said):
    return [kind for kind, *_ in said]


def contents(said, kind):
    return [content for found, _, content, *_ in said if found == kind]


def test_a_slider_is_shown_and_moved(hold):
    def conversation(front):
        front.run("s = IntSlider(value=3, description='ä')\ns.observe(lambda change: print('moved', change['new']), 'value')\ns")
        front.set("s", value=42)
        front.run("s.value")

    said = hold(conversation)
    assert types(said).count("comm_open") == 3  # layout, style, slider
    assert {"name": "stdout", "text": "moved 42\n"} in contents(said, "stream")
    assert contents(said, "execute_result")[-1]["data"]["text/plain"] == "42"


@pytest.mark.parametrize("widget", [
    "Accordion([IntText()], titles=['a'])", "BoundedFloatText(1.5, max=2)", "Checkbox(True)", "ColorPicker()", "Combobox(options=['a'])",
    "DatePicker(value=__import__('datetime').date(2024, 2, 29))", "Dropdown(options=[('one', 1), ('two', 2)])", "FloatLogSlider()",
    "FloatProgress(0.5)", "GridBox([Label('x')], layout=Layout(grid_template_columns='1fr'))", "HTML('<b>b</b>')", "HTMLMath('$x$')",
    "IntRangeSlider(value=(1, 3))", "Label('$y$')", "Password('p')", "Play(interval=100)", "RadioButtons(options='abc')", "Select(options=[1])",
    "SelectMultiple(options=[1, 2], value=[1])", "SelectionSlider(options=['a', 'b'])", "Stack([Button()], selected_index=0)",
    "Tab([Text('t')], titles=['T'])", "TagsInput(value=['a'])", "Text('t', placeholder='p')", "Textarea('t')", "TimePicker()",
    "ToggleButtons(options=['a'], icons=['check'])", "Valid(True)", "VBox([HBox([Button(icon='x')])], layout=Layout(width='50%'))",
])
def test_widgets_are_opened_and_closed(hold, widget):
    def conversation(front):
        front.run(f"w = {widget}\nw")
        front.comm_msg("w", {"method": "request_state"})
        front.run("w.close()")

    said = hold(conversation)
    assert types(said).count("comm_close") == 1
    assert contents(said, "comm_msg")[-1]["data"]["method"] == "update"


def test_a_button_is_clicked(hold):
    def conversation(front):
        front.run("b = Button()\nb.on_click(lambda b: print('clicked'))\nb")
        front.comm_msg("b", {"method": "custom", "content": {"event": "click"}})

    assert {"name": "stdout", "text": "clicked\n"} in contents(hold(conversation), "stream")


def test_an_error_in_a_handler_is_shown(hold):
    def conversation(front):
        front.run("b = Button()\nb.on_click(lambda b: 1 / 0)\nb")
        front.comm_msg("b", {"method": "custom", "content": {"event": "click"}})

    assert contents(hold(conversation), "error")[0]["ename"] == "ZeroDivisionError"


def test_interact(hold):
    def conversation(front):
        front.run("@interact(x=(0, 10), flag=True, word='a', choice=['p', 'q'])\n"
                  "def shown(x, flag, word, choice):\n    print(x, flag, word)\n    display(choice)\n    return x * 2")
        front.set("shown.widget.children[0]", value=9)
        front.set("shown.widget.children[1]", value=False)

    said = hold(conversation)
    assert {"name": "stdout", "text": "9 True a\n"} in contents(said, "stream")
    assert [c["wait"] for c in contents(said, "clear_output")] == [True] * len(contents(said, "clear_output")) != []


def test_interact_shows_errors(hold):
    def conversation(front):
        front.run("@interact(x=3)\ndef failing(x):\n    raise ValueError(x)")
        front.set("failing.widget.children[0]", value=4)

    assert "ValueError" in [c["ename"] for c in contents(hold(conversation), "error")]


def test_interactive_output_and_manual(hold):
    def conversation(front):
        front.run("a = IntSlider(1)\no = interactive_output(lambda x: print('x', x), {'x': a})\ndisplay(a, o)")
        front.set("a", value=2)
        front.run("m = interactive(lambda x: print('manual', x), {'manual': True}, x=(1, 5))\nm")
        front.comm_msg("m.manual_button", {"method": "custom", "content": {"event": "click"}})

    hold(conversation)


def test_output_takes_what_is_printed_in_it(hold):
    def conversation(front):
        front.run("out = Output(layout={'border': '1px solid'})\nout")
        front.run("import sys\nwith out:\n    print('within')\n    print('err', file=sys.stderr)\n    display('shown')\nprint('after')")

    said = hold(conversation)
    updates = [c["data"]["state"].get("msg_id") for c in contents(said, "comm_msg") if "msg_id" in c["data"].get("state", {})]
    # Front ends take the outputs of the request that the widget names, until it names none.
    assert len(updates) == 2 and updates[0] and updates[1] == ""
    order = types(said)
    assert order.index("comm_msg") < order.index("stream") < len(order) - 1 - order[::-1].index("comm_msg")


def test_outputs_nest(hold):
    def conversation(front):
        front.run("outer, inner = Output(), Output()\ndisplay(outer, inner)")
        front.run("with outer:\n    print('1')\n    with inner:\n        print('2')\n    print('3')\n")

    hold(conversation)


def test_an_error_within_an_output_belongs_to_it(hold):
    def conversation(front):
        front.run("out = Output()\nout")
        front.run("with out:\n    1 / 0\nprint('goes on')")

    assert {"name": "stdout", "text": "goes on\n"} in contents(hold(conversation), "stream")


def test_output_is_filled_and_cleared_by_its_methods(hold):
    def conversation(front):
        front.run("out = Output()\nout.append_stdout('a')\nout.append_stderr('b')\nout.append_display_data(HTML('c'))\nout")
        front.run("@out.capture(clear_output=True, wait=True)\ndef f():\n    print('captured')\nf()\nout.clear_output()\nout.outputs")

    hold(conversation)


def test_output_takes_what_a_handler_prints(hold):
    def conversation(front):
        front.run("out = Output()\nb = Button()\n@out.capture()\ndef clicked(b):\n    print('in out')\nb.on_click(clicked)\ndisplay(b, out)")
        front.comm_msg("b", {"method": "custom", "content": {"event": "click"}})

    hold(conversation)


def test_links(hold):
    def conversation(front):
        front.run("a, b, c, d = IntSlider(), IntSlider(), IntSlider(), IntSlider()\nlink((a, 'value'), (b, 'value'))\n"
                  "dlink((a, 'value'), (c, 'value'), lambda v: v * 2)\nj = jslink((a, 'value'), (d, 'value'))\n"
                  "k = jsdlink((a, 'value'), (d, 'max'))\nVBox([a, b, c, d])")
        front.set("a", value=7)
        front.run("a.value, b.value, c.value")
        front.run("j.unlink()\na.layout.width = '10px'\na.style.handle_color = 'red'")

    assert contents(hold(conversation), "execute_result")[-1]["data"]["text/plain"] == "(7, 7, 14)"


def test_files_are_uploaded_as_buffers(hold):
    data = bytes(range(256)) * 1000

    def conversation(front):
        front.run("u = FileUpload(multiple=True)\nu.observe(lambda change: print(len(change['new'])), 'value')\nu")
        files = [{"name": f"f{n}.bin", "type": "", "size": len(data), "last_modified": 1_700_000_000_000} for n in range(2)]
        front.set("u", value=files, buffer_paths=[["value", 0, "content"], ["value", 1, "content"]], buffers=[data, data[::-1]])
        front.run("import hashlib\n[(f.name, type(f.content).__name__, hashlib.sha256(f.content).hexdigest()) for f in u.value]")

    said = hold(conversation)
    import hashlib
    assert hashlib.sha256(data).hexdigest() in contents(said, "execute_result")[-1]["data"]["text/plain"]


def test_images_go_down_as_buffers(hold):
    def conversation(front):
        front.run("i = Image(value=bytes(range(256)) * 4000, format='png')\ni")
        front.run("i.value = b'\\x00\\xff' * 10")

    buffers = [each for *_, buffers in hold(conversation) for each in buffers]
    assert buffers == [bytes(range(256)) * 4000, b"\x00\xff" * 10]


def test_custom_messages_with_buffers_both_ways(hold):
    def conversation(front):
        front.run("b = Button()\ndef echo(widget, content, buffers):\n    widget.send({'n': content['n']}, [bytes(x)[::-1] for x in buffers])\n"
                  "b.on_msg(echo)\nb.send({'hello': 1}, [memoryview(b'abc'), bytearray(b'')])")
        front.comm_msg("b", {"method": "custom", "content": {"n": 1}}, buffers=[b"\x01\x02", b""])

    assert [buffers for *_, buffers in hold(conversation) if buffers] == [[b"abc", b""], [b"\x02\x01", b""]]


def test_play_and_batched_updates(hold):
    def conversation(front):
        front.run("p, s = Play(max=3), IntSlider()\njslink((p, 'value'), (s, 'value'))\nHBox([p, s])")
        for value in range(3):
            front.set("p", value=value)
        front.run("with s.hold_sync():\n    s.max = 50\n    s.value = 44\n    s.description = 'held'")

    hold(conversation)


def test_a_front_end_that_comes_later_asks_for_all_states(hold):
    comm_id = "0123456789abcdef0123456789abcdef"

    def conversation(front):
        front.run("ipywidgets.Widget.close_all()\nlate = Image(value=b'late', format='png')")
        front.open("jupyter.widget.control", {}, comm_id, "1.0.0")
        front.comm_msg(None, {"method": "request_states"}, comm_id=comm_id)

    said = hold(conversation)
    assert contents(said, "comm_msg")[-1]["data"]["method"] == "update_states"
    assert [buffers for *_, buffers in said if buffers][-1] == [b"late"]


def test_widgets_created_in_threads_belong_to_their_cell(hold):
    def conversation(front):
        front.run("import threading\nmade = []\nt = threading.Thread(target=lambda: made.append(IntText(5)))\nt.start()\nt.join()\nmade[0]")

    hold(conversation)


def test_the_notebooks_progress_bar(hold):
    def conversation(front):
        front.run("from tqdm.auto import tqdm\nbar = tqdm(total=2, mininterval=1e9, bar_format='{desc}{bar}{n_fmt}', desc='d')\n"
                  "bar.update(2)\nbar.close()\nbar.container.children[1].max")

    assert contents(hold(conversation), "execute_result")[-1]["data"]["text/plain"] == "2.0"


def frames(said):
    """The pictures of a figure, in order of sending: differences to the one before, as PNG."""
    return [bytes(buffers[0]) for kind, _, content, _, buffers in said if kind == "comm_msg" and buffers
            and content["data"].get("method") == "custom" and content["data"]["content"].get("data") == '{"type": "binary"}']


def figure_says(front, **message):
    front.comm_msg("fig.canvas", {"method": "custom", "content": message})


FIGURE = ("%matplotlib widget\nimport matplotlib.pyplot as plt\nplt.rcParams['figure.figsize'] = (2, 2)\n"
          "fig, ax = plt.subplots()\nline, = ax.plot([0, 1], [0, 1])\nplt.show()")


def a_figure_is_shown(front):
    front.run("import ipympl")
    front.run(FIGURE)
    for kind in ("initialized", "send_image_mode", "refresh", "draw", "ack"):
        figure_says(front, type=kind)


def test_a_figure_is_drawn(hold):
    def conversation(front):
        a_figure_is_shown(front)
        front.run("line.set_ydata([1, 0])\nfig.canvas.draw_idle()")
        figure_says(front, type="draw")
        front.run("plt.close('all')")

    said = hold(conversation)
    pictures = frames(said)
    assert len(pictures) >= 2 and all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[-1]
    assert "comm_close" in types(said)


def test_a_figure_under_the_mouse(hold):
    where = {"x": 100, "y": 100, "buttons": 1, "step": 0, "modifiers": [], "guiEvent": {}}

    def conversation(front):
        a_figure_is_shown(front)
        front.run("import json\nfor kind in ('button_press_event', 'motion_notify_event', 'scroll_event'):\n"
                  "    fig.canvas.mpl_connect(kind, lambda event: print(event.name, event.x, event.y))")
        figure_says(front, type="button_press", button=0, **where)
        figure_says(front, type="motion_notify", button=0, **where)
        figure_says(front, type="scroll", button=0, **{**where, "step": 1})
        figure_says(front, type="toolbar_button", name="zoom")
        figure_says(front, type="resize", width=150, height=120)
        figure_says(front, type="draw")
        front.run("plt.close('all')")

    said = hold(conversation, texts_apart=True)
    printed = "".join(content["text"] for content in contents(said, "stream"))
    assert printed.count("_event 100 100\n") == 3
    assert len(frames(said)) >= 2


def test_a_figure_that_its_cell_draws_anew(hold):
    def conversation(front):
        a_figure_is_shown(front)
        front.run("for n in range(3):\n    line.set_ydata([n, 0])\n    fig.canvas.draw()\n    print('drawn', n)")
        front.run("plt.close('all')")

    said = hold(conversation, texts_apart=True)
    assert [content["text"] for content in contents(said, "stream")] == ["drawn 0\n", "drawn 1\n", "drawn 2\n"]
    assert len(frames(said)) >= 3


@pytest.mark.cellblock_only  # with ipykernel 7.4 the picture waits for the cell
def test_a_figure_is_drawn_while_a_cell_runs(kernel):
    front = Front(kernel)
    a_figure_is_shown(front)
    canvas = front.model_id("fig.canvas")
    subshell = kernel.request("create_subshell_request", channel="control").content["subshell_id"]
    client = kernel.client
    running = client.execute("import time\nline.set_ydata([5, 5])\ngo = False\nprint('began', flush=True)\nend = time.time() + 30\n"
                             "while not go and time.time() < end: time.sleep(0.01)\ngo")
    before_the_end, asked = [], False
    while True:
        message = client.get_iopub_msg(timeout=40)
        kind, content = message["header"]["msg_type"], message["content"]
        mine = message["parent_header"].get("msg_id") == running
        if mine and kind == "stream" and not asked:
            asked = True
            for event in ("ack", "draw"):
                _on_subshell(client, subshell, "comm_msg", {"comm_id": canvas, "data": {
                    "method": "custom", "content": {"type": event}}})
        if kind == "comm_msg" and message["buffers"]:
            before_the_end.append(bytes(message["buffers"][0]))
            _on_subshell(client, subshell, "execute_request", {"code": "go = True", "silent": True})
        if mine and content.get("execution_state") == "idle":
            break
        if mine and kind == "execute_result":
            assert content["data"]["text/plain"] == "True"
    assert before_the_end and before_the_end[0].startswith(b"\x89PNG")
    kernel.run("plt.close('all')")
    kernel.request("delete_subshell_request", {"subshell_id": subshell}, channel="control")


def _on_subshell(client, subshell, msg_type, content):
    message = client.session.msg(msg_type, content)
    message["header"]["subshell_id"] = subshell
    client.session.send(client.shell_channel.socket, message)


ANYWIDGET = """
import anywidget, traitlets
class Model(anywidget.AnyWidget):
    _esm = 'export default { render({ model, el }) { el.innerText = model.get("count"); } }'
    _css = 'b { color: red }'
    count = traitlets.Int(1).tag(sync=True)
    raw = traitlets.Bytes(b'\\x00\\x01').tag(sync=True)
    nested = traitlets.Dict({'a': [b'deep', 1]}).tag(sync=True)
    @anywidget.experimental.command
    def twice(self, message, buffers):
        return message * 2, [bytes(each) * 2 for each in buffers]
m = Model()
m.observe(lambda change: print(change['name'], change['new']), ['count', 'raw'])
def custom(widget, content, buffers):
    widget.send({'got': content}, [bytes(each)[::-1] for each in buffers])
m.on_msg(custom)
"""


def test_an_anywidget_with_binary_state(hold):
    def conversation(front):
        front.run(ANYWIDGET)
        front.run("m")
        front.set("m", count=5)
        front.set("m", buffer_paths=[["raw"]], buffers=[bytes(range(256))])
        front.set("m", nested={"a": [None, 2]}, buffer_paths=[["nested", "a", 0]], buffers=[b"other"])
        front.run("m.count = 6\nm.raw = b'from the cell'\nm.nested")
        front.comm_msg("m", {"method": "request_state"})
        front.run("m.close()")

    said = hold(conversation, texts_apart=True)
    assert [b"deep", b"\x00\x01"] in [buffers for *_, buffers in said]
    assert "count 5\n" in str(contents(said, "stream")[0]["text"])
    assert [b"from the cell"] in [buffers for *_, buffers in said]


def test_an_anywidgets_messages_and_commands(hold):
    def conversation(front):
        front.run(ANYWIDGET)
        front.comm_msg("m", {"method": "custom", "content": {"n": [1, None]}}, buffers=[b"abc", b""])
        front.comm_msg("m", {"method": "custom", "content": {"kind": "anywidget-command", "id": "question-1", "name": "twice",
                                                             "msg": "x"}}, buffers=[b"ab"])

    said = hold(conversation)
    answers = [(content["data"]["content"], buffers) for kind, _, content, _, buffers in said
               if kind == "comm_msg" and content["data"]["method"] == "custom"]
    assert answers[0] == ({"got": {"n": [1, None]}}, [b"cba", b""])
    assert any(content.get("response") == "xx" and buffers == [b"abab"] for content, buffers in answers)
