"""What may go up: valid frames whatever user code does, and one answer to each request."""

import json

import pytest


def value(cell):
    return cell.of("execute_result")[0]["data"]["text/plain"]


def nested(depth):
    return f"x = 1\nfor _ in range({depth}): x = [x]\n"


def test_depth_is_refused_where_the_kernel_would_refuse_the_frame(worker):
    show = "display({'x/y': x, 'text/plain': ''}, raw=True)"
    assert worker.run(nested(198) + show).status == "ok"  # content and data are two levels more
    cell = worker.run(nested(199) + show)
    assert cell.error == "ValueError" and "200 levels" in cell.reply["evalue"]
    assert worker.run(nested(5000) + show).status == "error"
    assert worker.run("display({'x/y': ['[' * 1000, '\\\\\"[{'], 'text/plain': ''}, raw=True)").status == "ok"


def test_size_is_refused_in_the_cell(worker):
    cell = worker.run("big = 'x' * (257 << 20)\ndisplay({'text/plain': big}, raw=True)", timeout=60)
    assert cell.error == "FrameTooBig" and "268435456" in cell.reply["evalue"]
    assert worker.run("del big; 1").status == "ok"


def test_replies_that_cannot_be_sent_become_errors(worker):
    for payload in ("object()", "{'n': float('nan')}", "{1: 2, '1': 3}"):
        cell = worker.run(f"get_ipython().payload_manager.write_payload({{'source': 's', 'p': {payload}}})")
        assert cell.status in ("ok", "error")
    assert worker.run("get_ipython().payload_manager.write_payload({'source': 's', 'p': object()})").error in ("TypeError", "ValueError")
    cell = worker.run("x = 1\nfor _ in range(300): x = [x]\nget_ipython().payload_manager.write_payload({'source': 'd', 'p': x})")
    assert cell.error == "ValueError"
    assert worker.run("1").status == "ok"


def test_not_a_number_is_text_as_in_jupyter_client(worker):
    shown = worker.run("display({'x/y': {'n': float('nan'), 'i': [float('-inf')]}, 'text/plain': ''}, raw=True)").of("display_data")[0]
    assert shown["data"]["x/y"] == {"n": "nan", "i": ["-inf"]}


def test_keys_bytes_dates_scalars(worker):
    shown = worker.run("import numpy as np, datetime\ndisplay({'x/y': {'b': b'\\x00\\xff', 'd': datetime.date(2020, 1, 2), 'i': np.int8(3),\n"
                       "  'f': np.float64(1.5), 'a': np.arange(2), 's': {1}, 'g': (i for i in 'ab'), 3: None}, 'text/plain': ''}, raw=True)"
                       ).of("display_data")[0]["data"]["x/y"]
    assert shown == {"b": "AP8=", "d": "2020-01-02", "i": 3, "f": 1.5, "a": [0, 1], "s": [1], "g": ["a", "b"], "3": None}


def test_key_order_and_big_integers_survive(worker):
    worker.run("display({'x/y': {'z': 1, 'a': 2 ** 70, 'm': 1.0}, 'text/plain': ''}, raw=True)")
    raw = next(f for f in worker.received if f.msg_type == "display_data").parts[1].decode()
    assert '{"z": 1, "a": 1180591620717411303424, "m": 1.0}' in raw


def test_metadata_of_displays_is_made_json_too(worker):
    shown = worker.run("import numpy as np\ndisplay('x', metadata={'k': np.float32(0.5)})").of("display_data")[0]
    assert shown["metadata"] == {"k": 0.5}


def test_buffers_of_comms_go_through(worker):
    worker.run("from comm import create_comm, get_comm_manager\n"
               "def opened(comm, msg):\n    comm.on_msg(lambda m: comm.send({'n': len(m['buffers'])}, buffers=[bytes(m['buffers'][0])[::-1], bytearray(3)]))\n"
               "get_comm_manager().register_target('t', opened)")
    worker.ask("comm_open", {"comm_id": "c", "target_name": "t", "data": {}})
    cell = worker.ask("comm_msg", {"comm_id": "c", "data": {}}, buffers=(b"abc", b""))
    answer = next(f for f in cell.published if f.msg_type == "comm_msg")
    assert answer.content["data"] == {"n": 2} and answer.buffers == [b"cba", b"\0\0\0"]
    assert answer.header["topic"] == "comm-c"
    assert worker.run("import numpy as np\nc = create_comm('x', buffers=[np.arange(3)])\nc.send({}, buffers=[np.arange(9)[::2]])"
                      ).error == "ValueError"
    assert worker.run("c.send({}, buffers=[b''] * 1023)").error == "FrameTooBig"


def test_errors_in_comm_callbacks_are_told_and_answered(worker):
    worker.run("from comm import get_comm_manager\ndef bad(comm, msg): 1/0\nget_comm_manager().register_target('bad', bad)")
    cell = worker.ask("comm_open", {"comm_id": "b", "target_name": "bad", "data": {}})
    assert cell.status == "ok" and "ZeroDivisionError" in cell.stderr
    assert cell.of("comm_close")[0]["comm_id"] == "b"
    assert worker.ask("comm_msg", {"comm_id": "nobody", "data": {}}).status == "ok"
    assert worker.ask("comm_msg", {}).status == "error"


def test_unknown_requests_are_answered(worker):
    assert worker.ask("brand_new_request", {}).reply == {"status": "ok"}


def test_malformed_requests_are_answered(worker):
    for msg_type, content in (("execute_request", {}), ("complete_request", {}), ("inspect_request", {"code": 5}),
                              ("history_request", {"hist_access_type": "range", "start": "x"}), ("is_complete_request", {})):
        cell = worker.ask(msg_type, content)
        assert cell.status in ("ok", "error")
    assert worker.run("1").status == "ok"


def test_control_is_answered_while_a_cell_runs(worker):
    number = worker.execute("import time; print('begun'); time.sleep(2)")
    worker.await_text(number, "begun")
    assert worker.ask("is_complete_request", {"code": "for"}, channel="control").reply["status"] == "invalid"
    cell = worker.ask("execute_request", {"code": "print('from control'); 1 + 1", "silent": False, "store_history": False},
                      channel="control")
    assert cell.stdout == "from control\n"
    assert worker.ask("debug_request", {"command": "x"}, channel="control").reply == {}  # as ipykernel
    assert not any(f.type == "reply" and f.parent == number for f in worker.received)
    assert worker.result(number).status == "ok"


def test_topics(worker):
    worker.run("print('x'); display('y'); 1")
    worker.run("1/0")
    topics = {f.msg_type: f.header.get("topic") for f in worker.received if f.type == "publish"}
    kernel = worker.run("get_ipython().kernel.ident").of("execute_result")[0]["data"]["text/plain"].strip("'")
    assert topics == {"execute_input": f"kernel.{kernel}.execute_input", "stream": "stream.stdout", "display_data": "display_data",
                      "execute_result": f"kernel.{kernel}.execute_result", "error": f"kernel.{kernel}.error"}


def test_completion_counts_code_points(worker):
    worker.run("alphabet = 1")
    reply = worker.ask("complete_request", {"code": "'😀😀'; alphab", "cursor_pos": 12}).reply
    assert (reply["matches"], reply["cursor_start"], reply["cursor_end"]) == (["alphabet"], 6, 12)
    assert reply["metadata"]["_jupyter_types_experimental"][0]["text"] == "alphabet"


def test_completion_with_jedi(worker):
    pytest.importorskip("jedi")
    reply = worker.ask("complete_request", {"code": "import os; os.path.joi", "cursor_pos": 22}).reply
    assert reply["status"] == "ok" and reply["matches"] == ["join"]


def test_kernel_facade(worker):
    assert value(worker.run("k = get_ipython().kernel\nk.get_parent()['content']['code'][:1], k._parent_header['header']['session'], k.shell is get_ipython()"
                            )) == "('k', 's', True)"
    cell = worker.run("k.session.send(k.iopub_socket, 'display_data', {'data': {'text/plain': 'sent'}, 'metadata': {}}, parent=k.get_parent())\n"
                      "k.send_response(k.iopub_socket, 'stream', {'name': 'stdout', 'text': 'too'})")
    assert cell.of("display_data")[0]["data"] == {"text/plain": "sent"} and "too" in cell.stdout


def test_the_newest_control_request(worker):
    question = "k = get_ipython().kernel; p = k.get_parent('control'); p and p['header']['msg_id'], k._parent_ident['control']"
    assert value(worker.run(question)) == "({}, b'')"
    worker.send({"type": "control"}, {"msg_id": "elsewhere", "session": "other", "msg_type": "kernel_info_request",
                                      "date": "2026-01-02T03:04:05Z"})
    assert value(worker.run(question)) == "('elsewhere', [b'other'])"
    # A whole message, of which only the header is known; what is sent in its name has no parent here.
    assert value(worker.run("sorted(p) == sorted(k.get_parent()), p['msg_type'], p['content'], type(p['header']['date']).__name__")
                 ) == "(True, 'kernel_info_request', {}, 'datetime')"
    cell = worker.run("k.session.send(k.iopub_socket, 'display_data', {'data': {}, 'metadata': {}}, parent=p)")
    assert not cell.of("display_data") and [f.parent for f in worker.received if f.msg_type == "display_data"] == [0]
    worker.ask("history_request", {"hist_access_type": "tail", "n": 0}, channel="control")
    assert value(worker.run("k.get_parent('control')['msg_type'], k.get_parent('shell')['msg_type'], k.get_parent()['msg_type']")
                 ) == "('history_request', 'execute_request', 'execute_request')"


def test_many_displays_arrive_in_order(worker):
    cell = worker.run("for i in range(5000): display(i)", timeout=60)
    assert [int(c["data"]["text/plain"]) for c in cell.of("display_data")] == list(range(5000))


def test_reply_is_the_last_frame_of_its_request(worker):
    for code in ("print('x', end='')", "display(1); print(2)", "import sys; sys.stderr.write('e')", "1/0"):
        number = worker.execute(code)
        worker.result(number)
        assert [f.type for f in worker.received if f.parent == number].index("reply") == len(
            [f for f in worker.received if f.parent == number]) - 1


def test_frames_are_plain_json(worker):
    worker.run("print('é')")
    frame = next(f for f in worker.received if f.msg_type == "stream")
    assert json.loads(frame.parts[1]) == {"name": "stdout", "text": "é\n"} and frame.parts[0] == b"{}"


def test_control_requests_are_answered_when_no_thread_can_be_started(worker):
    worker.run("import threading\nstart = threading.Thread.start\n"
               "def refuse(thread): raise RuntimeError(\"can't start new thread\")\nthreading.Thread.start = refuse")
    cell = worker.ask("is_complete_request", {"code": "1"}, channel="control")
    assert cell.error == "RuntimeError"
    worker.run("threading.Thread.start = start")
    assert worker.ask("is_complete_request", {"code": "1"}, channel="control").reply == {"status": "complete"}
