"""Comms: the `comm` package's messages to front ends and from them.

The package is imported when a library or a front end first needs it; `install` fills in what it leaves to kernels.
"""

import threading

from . import requests
from .imports import after_import


def install():
    lock, manager = threading.Lock(), []

    def create_comm(*args, **kwargs):
        from .comm_classes import BaseComm

        return BaseComm(*args, **kwargs)

    def get_comm_manager(*args, **kwargs):
        from .comm_classes import CommManager

        with lock:
            if not manager:
                manager.append(CommManager())
            return manager[0]

    def fill_in(module):
        module.create_comm, module.get_comm_manager = create_comm, get_comm_manager

    after_import("comm", fill_in)


def handle(request, link):
    """comm_open, comm_msg, comm_close from the front end. What goes wrong in callbacks is logged by the package."""
    try:
        import comm
    except ImportError:
        if request.msg_type == "comm_open":
            link.publish("comm_close", {"comm_id": request.content.get("comm_id"), "data": {}}, request=request)
        return
    getattr(comm.get_comm_manager(), request.msg_type)(None, None, requests.current().message)
