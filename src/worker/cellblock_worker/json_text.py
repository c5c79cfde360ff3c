"""Objects of user code → JSON bytes that the kernel's strict validator accepts.

What JSON cannot say is turned into the same values as jupyter_client's packer does (dates, bytes, numpy scalars, NaN),
so that libraries see what they see elsewhere. Three things are stricter, because a kernel forwards our bytes as they
are: lone surrogates become U+FFFD, nothing nests deeper than MAX_DEPTH, and the top is always an object.
"""

import json
import math
import numbers
import os
import re
import types
from binascii import b2a_base64
from collections.abc import Iterable
from datetime import date, datetime

MAX_DEPTH = 200
EMPTY = b"{}"

# From this length on a picture's text is put between its quotes as it is: the encoder looks at each character twice.
LARGE_TEXT = 64 * 1024
_PLAIN = bytes(code for code in range(0x20, 0x7F) if chr(code) not in '"\\')
_STAND_IN = "large-text-" + os.urandom(16).hex() + "-"

_NOT_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[^][{}"]+')
_INNERMOST = re.compile(rb"\[\]|\{\}")


def _default(value):
    if isinstance(value, datetime):
        return _with_zone(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, Iterable):
        return list(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"{value!r} is not JSON serializable")


def _with_zone(value):
    return value if value.tzinfo is not None else value.astimezone()


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_default).encode


def text_bytes(text):
    """UTF-8; halves of surrogate pairs that stand alone are no characters."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8")


def pack(content):
    try:
        text = _encode(content)
    except (TypeError, ValueError):
        text = _encode(clean(content))
    packed = text_bytes(text)
    if packed[:1] != b"{":
        raise TypeError(f"a message's content must be a dict, not {type(content).__name__}")
    check_depth(packed)
    return packed


def pack_pieces(content):
    """pack() as a list of pieces, which saves copies of large plain texts in a mime bundle."""
    texts = _large_texts(content)
    if not texts:
        return [pack(content)]
    names = {key: f"{_STAND_IN}{number}" for number, key in enumerate(texts)}
    rest = pack({**content, "data": {**content["data"], **names}})
    pieces = []
    for key, name in names.items():
        before, _, rest = rest.partition(name.encode("ascii"))
        pieces += [before, texts[key]]
    return [*pieces, rest]


def _large_texts(content):
    """The bytes between the quotes for those values of the mime bundle that need no escapes."""
    data = content.get("data") if type(content) is dict else None
    texts = {}
    for key, value in data.items() if type(data) is dict else ():
        if type(value) is bytes and len(value) >= LARGE_TEXT:
            texts[key] = b2a_base64(value, newline=False)
        elif type(value) is str and len(value) >= LARGE_TEXT and value.isascii():
            text = value.encode("ascii")
            if not text.translate(None, _PLAIN):
                texts[key] = text
    return texts


def pack_string(text):
    return text_bytes(json.dumps(text, ensure_ascii=False))


def check_depth(packed):
    if packed.count(b"[") + packed.count(b"{") <= MAX_DEPTH:
        return
    rest, depth = _NOT_STRUCTURE.sub(b"", packed), 0
    while rest:
        # Each pass takes the innermost level away.
        rest, depth = _INNERMOST.sub(b"", rest), depth + 1
        if depth > MAX_DEPTH:
            raise ValueError(f"the message nests more than {MAX_DEPTH} levels deep; Cellblock passes at most that")


def clean(value):
    """jupyter_client's json_clean: what its packer falls back to."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return repr(value) if math.isnan(value) or math.isinf(value) else float(value)
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, (tuple, set, types.GeneratorType)) or (hasattr(value, "__iter__") and hasattr(value, "__next__")):
        value = list(value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        if len(value) != len(set(map(str, value))):
            raise ValueError("dict cannot be safely converted to JSON: key collision would lead to dropped values")
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, (datetime, date)):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")
    raise ValueError(f"Can't clean for JSON: {value!r}")
