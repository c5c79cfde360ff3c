"""JSON that front ends and libraries send although it is odd, and requests that are wrong. No kernel may die of them."""

from differential.scenarios.conversation import NO_SUCH_COMM
from differential.words import Answer, Differs, Exit, Frames, Send, ask, asking, cell, say, scenario

DEEP = "[" * 3000 + "]" * 3000


def wrong(msg_type, *contents, channel="shell"):
    return [say(msg_type, content, channel) for content in contents]


EXECUTE = {"code": "1", "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}


def without(*keys):
    return {key: value for key, value in EXECUTE.items() if key not in keys}


def frames(content=b"{}", header=None, parent=b"{}", metadata=b"{}", **more):
    return Frames(({} if header is None else header, parent, metadata, content), **more)


WARNS = Differs("iopub: * stream stderr", "UserWarning: Message serialization", None, "a warning about the kernel's own code, which users cannot heed")
UNANSWERED = Differs("*: * *_reply", None, "'status': '(ok|error)'", "ipykernel fails and leaves the request without a reply")

SCENARIOS = [
    scenario("json: bytes, dates, tuples, sets", "display({'x/y': {'b': b'xyz', 't': (1, 2), 's': {3}}}, raw=True)", "import datetime\ndisplay({'x/y': datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc)}, raw=True)",
             "display({'x/y': datetime.date(2020, 1, 2)}, raw=True)", "display({'x/y': range(3)}, raw=True)", "display({'x/y': iter([1])}, raw=True)"),
    scenario("json: NaN and infinities", "display({'x/y': {'n': float('nan'), 'i': float('inf'), 'm': -float('inf')}}, raw=True)", "display('x', metadata={'n': float('nan')})", "'alive'", differs=[WARNS]),
    scenario("json: numpy scalars in metadata", "import numpy as np\ndisplay('x', metadata={'f': np.float64(2.5), 'i': np.int32(3), 'b': np.bool_(True)})", "display('x', metadata={'a': np.arange(3)})", "display({'x/y': np.float32(0.5)}, raw=True)"),
    scenario("json: big integers, floats and key order", "display({'x/y': {'z': 2 ** 80, 'a': 1e300, 'n': -0.0, 'f': 0.1, 'e': 1e-7}}, raw=True)", "from IPython.display import JSON\nJSON({'b': 1, 'a': [True, None]})"),
    scenario("json: keys that are no text", "display({'x/y': {1: 'a', None: 'b', True: 'c', 1.5: 'd'}}, raw=True)", "display({'x/y': {(1, 2): 'a'}}, raw=True)", "display({5: 'a'}, raw=True)", "'alive'", differs=[WARNS]),
    scenario("json: what cannot be said", "display({'x/y': object}, raw=True)", "display('x', metadata={'o': print})", "a = []; a.append(a)\ndisplay({'x/y': a}, raw=True)", "'alive'",
             differs=[Differs("*: 3 *.content.traceback", "RecursionError", "RecursionError", "the frames of the two encoders")]),
    scenario("json: images", "from IPython.display import Image, display\nImage(data=b'\\x89PNG\\r\\n\\x1a\\n' + b'0' * 8, width=5)", "Image(data=b'GIF89a...', format='gif')", "display({'image/jpeg': b'\\xff\\xd8', 'application/pdf': b'%PDF'}, raw=True)",
             "Image(url='http://localhost/x.png')", "Image(data=b'nothing')"),
    scenario("json: displays that are no dicts", "get_ipython().display_pub.publish(5)", "get_ipython().display_pub.publish({'a/b': 1}, metadata=5)", "get_ipython().display_pub.publish({'a/b': 1}, transient=5)", "display({'a': 1}, raw=True, metadata={'a': None})", "'alive'"),
    scenario("displays: rich kinds", "from IPython.display import *\nHTML('<i>h</i>')", "Markdown('# m')", "Latex('$x$')", "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')", "Javascript('1')", "Math('x')", "Pretty('p')", "IFrame('http://localhost', 1, 2)", "Code('x = 1')",
             "GeoJSON({'type': 'Point'})", "FileLink('nope.txt')", "Video('x.mp4')", "Audio(data=[0, 1], rate=8000, normalize=False)", "YouTubeVideo('x')"),
    scenario("displays: include, exclude, metadata, transient", "from IPython.display import *\ndisplay(HTML('a'), include=['text/html'])", "display(HTML('a'), exclude=['text/html'])", "display('m', metadata={'text/plain': {'k': 1}})", "display(1, transient={'t': 1})",
             "publish_display_data({'a/b': 1}, metadata={'c': 2}, transient={'t': 1})", "display()", "display(1, clear=True)", "display(display_id='alone')"),
    scenario("displays: methods of classes", "class A:\n    def _repr_html_(self): return '<b>'\n    def _repr_latex_(self): return None\n    def _repr_json_(self): return {'k': 1}, {'m': 2}\n    def __repr__(self): return 'A'\nA()", "display(A())",
             "class B:\n    def _ipython_display_(self): print('own'); display('way')\nB()", "[A(), B()]", "class C:\n    def _repr_png_(self): return b'\\x89PNG'\n    def __repr__(self): return 'C'\nC()"),
    scenario("displays: formatters", "f = get_ipython().display_formatter.formatters['text/html']\nf.for_type(int, lambda i: f'<i>{i}</i>')\n5", "f.pop(int); 5", "get_ipython().display_formatter.active_types", fresh=True),
    scenario("displays: hooks of the publisher", "seen = []\ndef hook(m): seen.append((m['header']['msg_type'], m['content'])); return None\np = get_ipython().display_pub\np.register_hook(hook)\ndisplay('hidden')\np.unregister_hook(hook)", "seen", "display('shown')"),
    scenario("displays: a hook that changes messages", "def hook(m): m['content']['data']['text/plain'] = 'changed'; return m\np = get_ipython().display_pub\np.register_hook(hook)\ndisplay('x')\np.unregister_hook(hook)"),
    # Requests
    scenario("malformed: execute_request without code", *wrong("execute_request", {}, without("code")), "'alive'", differs=[UNANSWERED]),
    scenario("malformed: execute_request with wrong types", *wrong("execute_request", {**EXECUTE, "code": 5}, {**EXECUTE, "code": None}, {**EXECUTE, "code": ["1"]}, {**EXECUTE, "code": {}}), "'alive'",
             differs=[UNANSWERED, *(Differs(place, theirs, ours, "refused before anything of it runs, ipykernel runs it") for place, theirs, ours in (
                 ("iopub: 1 error", "'isspace'", None), ("shell: 1 execute_reply.metadata.*", ".", None), ("shell: 1 execute_reply.content.engine_info", "'execute'", None),
                 ("shell: 1 execute_reply.content.ename", "^AttributeError$", "^TypeError$"), ("shell: 1 execute_reply.content.evalue", "'isspace'", "'int' is not iterable"),
                 ("shell: 1 execute_reply.content.traceback", "'isspace'", "'int' is not iterable")))]),
    scenario("malformed: execute_request with keys missing", *wrong("execute_request", without("silent"), without("store_history"), without("user_expressions"), without("allow_stdin"), without("stop_on_error")), "'alive'"),
    scenario("malformed: execute_request with wrong options", *wrong("execute_request", {**EXECUTE, "silent": "yes"}, {**EXECUTE, "silent": None}, {**EXECUTE, "store_history": 0}, {**EXECUTE, "stop_on_error": []}), "'alive'"),
    scenario("malformed: allow_stdin that is no bool", *wrong("execute_request", {**EXECUTE, "allow_stdin": "no"}), "'alive'",
             differs=[UNANSWERED, Differs("iopub: 1 execute_result", None, "'text/plain': '1'", "ipykernel fails before the cell runs"),
                      Differs("*: 2 execute_*.content.execution_count", "^1$", "^2$", "so that it does not count")]),
    scenario("malformed: user expressions", *wrong("execute_request", {**EXECUTE, "user_expressions": None}, {**EXECUTE, "user_expressions": []}, {**EXECUTE, "user_expressions": {"a": 5}}, {**EXECUTE, "user_expressions": {"a": None}}, {**EXECUTE, "user_expressions": "x"}), "'alive'", differs=[UNANSWERED]),
    scenario("malformed: complete_request", *wrong("complete_request", {}, {"code": "x"}, {"code": 5, "cursor_pos": 1}, {"code": "pri", "cursor_pos": "3"}, {"code": "pri", "cursor_pos": 1.5}, {"cursor_pos": 1}, {"code": None, "cursor_pos": None}), "'alive'", differs=[UNANSWERED]),
    scenario("malformed: inspect_request", *wrong("inspect_request", {}, {"code": "len"}, {"code": 5, "cursor_pos": 1}, {"code": "len", "cursor_pos": "x"}, {"code": "len", "cursor_pos": 1, "detail_level": "x"}, {"code": "len", "cursor_pos": 3, "detail_level": 7}), "'alive'", differs=[UNANSWERED]),
    scenario("malformed: is_complete_request", *wrong("is_complete_request", {}, {"code": 5}, {"code": None}), "'alive'", differs=[UNANSWERED]),
    scenario("malformed: history_request", *wrong("history_request", {}, {"hist_access_type": 5}, {"hist_access_type": "tail"}, {"hist_access_type": "tail", "n": "x"}, {"hist_access_type": "range", "session": "x"}, {"hist_access_type": "search", "n": 3}), "'alive'",
             differs=[UNANSWERED]),
    scenario("malformed: comms", *wrong("comm_open", {}, {"comm_id": "m1"}, {"target_name": "x"}, {"comm_id": 5, "target_name": "x", "data": 5}), *wrong("comm_msg", {}), *wrong("comm_close", {}, {"comm_id": None}), "'alive'",
             differs=[NO_SUCH_COMM, Differs("iopub: 4 stream stderr", None, "No such comm target registered: x", "a comm of an unknown target is closed, whatever its id"),
                      Differs("iopub: 4 comm_close", None, "'comm_id': 5", "as above")]),
    scenario("malformed: comm_info_request", *wrong("comm_info_request", {"target_name": 5}, {"target_name": None}, {"target_name": []}), "'alive'"),
    scenario("malformed: contents that are no objects", *[frames(content) for content in (b"[]", b"5", b'"text"', b"null", b"true", b"[{}]")], "'alive'",
             differs=[Differs("iopub: * status", "busy|idle", None, "such a message is dropped as a whole")]),
    scenario("malformed: control requests", *wrong("interrupt_request", {"x": 1}, channel="control"), "'alive'"),
    scenario("malformed: requests about subshells", *wrong("delete_subshell_request", {}, {"subshell_id": 5}, {"subshell_id": None}, {"subshell_id": []}, channel="control"),
             *wrong("list_subshell_request", {"x": [1]}, channel="control"), "'alive'",
             differs=[Differs("control: 1 delete_subshell_reply", None, "Unknown subshell_id", "ipykernel fails with it and does not answer"),
                      Differs("control: [234] delete_subshell_reply.content.evalue", "Unknown subshell_id|unhashable type", "Unknown subshell_id ''", "an id is a text; what is none is named as the empty one")]),
    scenario("malformed: requests about the kernel", *wrong("connect_request", {"x": 1}), "'alive'", leave_out=((r'_port": \d+', '_port": 1'),)),
    scenario("malformed: shutdown_request", ask("shutdown_request", "control", restart=[1]), Exit(), fresh=True,
             differs=[Differs("*shutdown_reply.content.restart", r"\[1\]", "False", "a reply says true or false, whatever it was asked")]),
    scenario("malformed: comm ids that are no text", *[Send("comm_msg", {"comm_id": comm_id, "data": {}}, waits="nothing at all") for comm_id in ([], {}, 5, None)], "'alive'",
             differs=[NO_SUCH_COMM, *(Differs(f"iopub: {number} status", None, "'(busy|idle)'", "ipykernel fails with it, without a status") for number in (1, 2))]),
    scenario("malformed: code with NUL and surrogates", cell("x = '\0'\nx"), cell("'\\ud800'"), cell("# \x00"), cell("%\0"), "'alive'"),
    scenario("malformed: deep and wide content", cell(DEEP), cell("(" * 150 + "1" + ")" * 150), cell("1" + "+1" * 1500), "'alive'"),
    scenario("malformed: frames that are no JSON", frames(b"{"), frames(b""), frames(b"\xff\xfe"), frames(b"NaN"), frames(b"{}", metadata=b"["), frames(b"{}", parent=b"x"), "'alive'",
             differs=[Differs("iopub: 4 status", "busy|idle", None, "NaN is no JSON")]),
    scenario("malformed: a wrong signature", frames(b'{"code": "print(1)"}', signed=False), "'alive'"),
    scenario("malformed: replies to no request", Send("input_reply", {"value": "x"}, "stdin", waits="nothing at all"), "1", asking("input('real? ')"), Answer("yes"), "'alive'"),
    scenario("malformed: metadata", say("execute_request", EXECUTE, metadata={"cellId": 5}), say("execute_request", EXECUTE, metadata={"k": [[[[]]]]}), "'alive'"),
    scenario("malformed: header fields", say("execute_request", EXECUTE, header={"username": "żółć", "version": "5.0"}), say("execute_request", EXECUTE, header={"username": 5}), say("execute_request", EXECUTE, header={"extra": {"deep": [1]}}), "'alive'"),
    scenario("many small requests", *[ask("is_complete_request", code="x" * n) for n in range(30)]),
    scenario("displays: objects of IPython.display", "from IPython.display import *\nopen('t.txt', 'w').write('t'); FileLinks('.')", "FileLink('t.txt')", "Code('x = 1')", "Code(filename='t.txt')", "Image(filename='t.txt')",
             "open('i.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n0000IHDR' + bytes(8)); Image('i.png')", "Image('i.png', embed=False)", "display_html('<b>', raw=True); display_javascript('1', raw=True)", "Audio(b'RIFF', rate=1)",
             "DisplayHandle('own')", "JSON([1], expanded=True, root='r')", "HTML(filename='t.txt')", "Javascript(lib=['a'], css=['b'], data='1')", "display(HTML('x', metadata={'m': 1}))"),
]
