"""Comms: the messages of widgets, in both directions, with buffers."""

from support.messages import collect_until_idle, send


def test_a_comm_opened_by_a_cell_reaches_the_front_end(kernel):
    cell = kernel.run("from comm import create_comm\n"
                      "comm = create_comm(target_name='the-target', data={'a': 1}, metadata={'m': 2})\ncomm.comm_id")
    opened = cell.of_type("comm_open")[0]
    assert opened["target_name"] == "the-target" and opened["data"] == {"a": 1}
    assert opened["comm_id"] == cell.result.strip("'")


def test_buffers_travel_both_ways(kernel):
    cell = kernel.run("""
from comm import create_comm
echo = create_comm(target_name='echo')
@echo.on_msg
def back(message):
    echo.send({'got': message['content']['data']}, buffers=[bytes(b)[::-1] for b in message['buffers']])
echo.comm_id""")
    comm_id = cell.result.strip("'")
    message = kernel.client.session.msg("comm_msg", {"comm_id": comm_id, "data": {"n": 5}})
    kernel.client.session.send(kernel.client.shell_channel.socket, message, buffers=[b"\x00\x01\xff", b"abc"])
    messages = collect_until_idle(kernel.client, message["header"]["msg_id"])
    answer = [m for m in messages if m["header"]["msg_type"] == "comm_msg"][0]
    assert answer["content"]["data"] == {"got": {"n": 5}}
    assert [bytes(b) for b in answer["buffers"]] == [b"\xff\x01\x00", b"cba"]


def test_a_front_end_can_open_a_comm(kernel):
    kernel.run("""
opened = []
def target(comm, message):
    opened.append(message['content']['data'])
    comm.send({'welcome': True})
get_ipython().kernel.comm_manager.register_target('from-outside', target)""")
    msg_id = send(kernel.client, "comm_open", {"comm_id": "c-1", "target_name": "from-outside", "data": {"x": 1}})
    messages = collect_until_idle(kernel.client, msg_id)
    assert [m["content"]["data"] for m in messages if m["header"]["msg_type"] == "comm_msg"] == [{"welcome": True}]
    assert kernel.run("opened").result == "[{'x': 1}]"


def test_an_unknown_target_is_closed(kernel):
    msg_id = send(kernel.client, "comm_open", {"comm_id": "c-2", "target_name": "nobody", "data": {}})
    messages = collect_until_idle(kernel.client, msg_id)
    assert [m["content"]["comm_id"] for m in messages if m["header"]["msg_type"] == "comm_close"] == ["c-2"]


def test_open_comms_are_listed(kernel):
    comm_id = kernel.run("from comm import create_comm\nlisted = create_comm(target_name='listed')\nlisted.comm_id").result.strip("'")
    answer = kernel.request("comm_info_request", {"target_name": "listed"}).content
    assert answer["comms"] == {comm_id: {"target_name": "listed"}}
    kernel.run("listed.close()")
    assert kernel.request("comm_info_request", {"target_name": "listed"}).content["comms"] == {}


def test_output_of_a_comm_handler_belongs_to_the_comm_message(kernel):
    comm_id = kernel.run("from comm import create_comm\nspeaker = create_comm(target_name='s')\n"
                         "speaker.on_msg(lambda message: print('in the handler'))\nspeaker.comm_id").result.strip("'")
    msg_id = send(kernel.client, "comm_msg", {"comm_id": comm_id, "data": {}})
    messages = collect_until_idle(kernel.client, msg_id)
    assert "in the handler\n" in [m["content"].get("text") for m in messages]


def test_widgets_open_their_models(kernel):
    cell = kernel.run("import ipywidgets\nslider = ipywidgets.IntSlider(value=3)\nslider", timeout=120)
    assert any(c["target_name"] == "jupyter.widget" for c in cell.of_type("comm_open"))
    assert "application/vnd.jupyter.widget-view+json" in cell.of_type("execute_result")[0]["data"]


def test_moving_a_slider_calls_its_observers(kernel):
    comm_id = kernel.run("import ipywidgets\nslider = ipywidgets.IntSlider(value=3)\nseen = []\n"
                         "slider.observe(lambda change: seen.append(change['new']), 'value')\nslider.model_id",
                         timeout=120).result.strip("'")
    msg_id = send(kernel.client, "comm_msg", {"comm_id": comm_id,
                                              "data": {"method": "update", "state": {"value": 42}, "buffer_paths": []}})
    collect_until_idle(kernel.client, msg_id)
    assert kernel.run("(slider.value, seen)").result == "(42, [42])"
