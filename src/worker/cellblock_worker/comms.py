"""Comms: the `comm` package's messages to front ends and from them.

The package is imported when a library or a front end first needs it; `install` fills in what it leaves to kernels.
"""

import sys
import threading

from . import requests
from .imports import after_import


def install(link):
    lock, manager = threading.Lock(), []

    def create_comm(*args, **kwargs):
        from comm.base_comm import BaseComm

        return _comm_class(BaseComm, link)(*args, **kwargs)

    def get_comm_manager(*args, **kwargs):
        from comm.base_comm import CommManager

        with lock:
            if not manager:
                manager.append(CommManager())
            return manager[0]

    def fill_in(module):
        module.create_comm, module.get_comm_manager = create_comm, get_comm_manager

    after_import("comm", fill_in)
    # A library may import it where it is installed. It puts its own comms there, which reach no front end from here.
    after_import("ipykernel.ipkernel", lambda _: fill_in(sys.modules["comm"]))


_classes = {}


def _comm_class(base, link):
    if base not in _classes:
        class Comm(base):
            @property
            def kernel(self):
                # ipywidgets sends no update through a comm whose kernel is None.
                from IPython import get_ipython

                return get_ipython().kernel

            def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
                content = {"data": {} if data is None else data, "comm_id": self.comm_id, **keys}
                topic = self.topic.decode("utf-8", "replace") if isinstance(self.topic, bytes) else self.topic
                link.publish(msg_type, content, metadata, buffers, topic=topic)

        _classes[base] = Comm
    return _classes[base]


def handle(request, link):
    """comm_open, comm_msg, comm_close from the front end. What goes wrong in callbacks is logged by the package."""
    try:
        import comm
    except ImportError:
        if request.msg_type == "comm_open":
            link.publish("comm_close", {"comm_id": request.content.get("comm_id"), "data": {}}, request=request)
        return
    getattr(comm.get_comm_manager(), request.msg_type)(None, None, requests.current().message)
