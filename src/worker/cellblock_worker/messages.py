"""Jupyter messages as dicts, for the hooks and façades that libraries know. What goes up is a frame, see link.py."""

import os
from datetime import datetime, timezone

from . import requests


def new_id():
    hex_id = os.urandom(16).hex()
    return "-".join((hex_id[:8], hex_id[8:12], hex_id[12:16], hex_id[16:20], hex_id[20:]))


KERNEL_ID = new_id()


def topic(name):
    return f"kernel.{KERNEL_ID}.{name}"


def now():
    return datetime.now(timezone.utc)


def new_header(msg_type):
    parent = requests.current().header
    return {"msg_id": new_id(), "msg_type": msg_type, "username": parent.get("username", "username"),
            "session": KERNEL_ID, "date": now(), "version": "5.4"}


def new_message(msg_type, content, metadata=None, parent=None):
    header = new_header(msg_type)
    parent = parent or {}
    return {"header": header, "msg_id": header["msg_id"], "msg_type": msg_type,
            "parent_header": parent.get("header", parent) or requests.current().header,
            "content": content, "metadata": metadata or {}}
