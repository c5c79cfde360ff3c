"""Frames of docs/worker-protocol.md as bytes. Pure: no descriptors, no threads."""

import json
import struct

MAX_HEADER = 65_536
MAX_PARTS = 1_024
MAX_BODY = 256 * 1024 * 1024

_PREFIX = struct.Struct("<II")
_encode_header = json.JSONEncoder(separators=(",", ":")).encode


class FrameTooBig(ValueError):
    """The kernel would end the worker for this frame, so it is refused here, where it is an error of one cell."""


def encode(header, parts):
    """A frame as a list of bytes-like pieces, ready for writev. A part is bytes-like, or a list of such pieces."""
    text = _encode_header(header).encode("ascii")
    if len(text) > MAX_HEADER:
        raise FrameTooBig(f"a frame header of {len(text)} bytes; Cellblock passes at most {MAX_HEADER}")
    if len(parts) > MAX_PARTS:
        raise FrameTooBig(f"a message of {len(parts)} parts; Cellblock passes at most {MAX_PARTS}")
    sizes = [sum(map(len, part)) if type(part) is list else len(part) for part in parts]
    if sum(sizes) > MAX_BODY:
        raise FrameTooBig(f"a message of {sum(sizes)} bytes; Cellblock passes at most {MAX_BODY}")
    pieces = [_PREFIX.pack(len(text), len(parts)) + struct.pack(f"<{len(parts)}Q", *sizes) + text]
    for part in parts:
        if type(part) is list:
            pieces += part
        else:
            pieces.append(part)
    return pieces


def read(read_exactly):
    """One frame from `read_exactly(count) -> bytes-like`: its header and its parts."""
    header_size, part_count = _PREFIX.unpack(read_exactly(_PREFIX.size))
    sizes = struct.unpack(f"<{part_count}Q", read_exactly(8 * part_count))
    header = json.loads(bytes(read_exactly(header_size)))
    return header, [read_exactly(size) for size in sizes]
