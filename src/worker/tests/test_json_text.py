"""Packing by pieces gives the bytes that packing as a whole gives."""

import json

import pytest
from cellblock_worker import frames, json_text

LARGE = "iVBORw0KGgo+/=" * (json_text.LARGE_TEXT // 10)


def joined(content):
    return b"".join(json_text.pack_pieces(content))


@pytest.mark.parametrize("data", [
    {"image/png": LARGE},
    {"text/plain": "<Figure>", "image/png": LARGE, "image/jpeg": LARGE[::-1], "text/html": "é" + LARGE},
    {"image/png": LARGE, 7: LARGE},
    {"text/plain": LARGE + '"'},
    {"text/plain": LARGE + "\\"},
    {"text/plain": "\n" + LARGE},
    {"text/plain": LARGE + "\x7f"},
    {"text/plain": LARGE + "\ud800"},
    {"application/json": {"nested": LARGE}},
    {"text/plain": "small"},
    {},
    None,
], ids=lambda data: "+".join(map(str, data or [])) or "none")
def test_pieces_are_the_whole(data):
    content = {"metadata": {}, "data": data, "transient": {"display_id": "x"}}
    assert joined(content) == json_text.pack(content)


def test_a_large_text_is_not_copied_into_another():
    pieces = json_text.pack_pieces({"data": {"image/png": LARGE, "text/plain": "x"}, "metadata": {}})
    assert [len(piece) for piece in pieces[1:2]] == [len(LARGE)]


def test_large_bytes_become_base64_as_small_ones_do():
    value = bytes(range(256)) * 1024
    assert json.loads(joined({"data": {"image/png": value}})) == json.loads(json_text.pack({"data": {"image/png": value}}))


def test_the_stand_in_of_another_value_does_no_harm():
    """A cell can find it out; what it says then is still JSON."""
    content = {"data": {"a": json_text._STAND_IN + "0", "image/png": LARGE}, "metadata": {}}
    assert set(json.loads(joined(content))) == {"data", "metadata"}


def test_a_part_of_pieces_counts_as_one():
    whole = frames.encode({"type": "x"}, [b"{}", b"abcdef"])
    pieces = frames.encode({"type": "x"}, [b"{}", [b"abc", b"def"]])
    assert b"".join(whole) == b"".join(pieces)
    with pytest.raises(frames.FrameTooBig):
        frames.encode({"type": "x"}, [[bytes(1)] * 2, [memoryview(bytes(frames.MAX_BODY))]])
