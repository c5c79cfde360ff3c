"""Comms by ipykernel's names. Imported when the `comm` package is first used."""

import logging
import warnings

from comm import base_comm

from .comms import remember_question
from .facade import Kernel


class BaseComm(base_comm.BaseComm):
    @property
    def kernel(self):
        """ipywidgets sends no update through a comm whose kernel is None."""
        return Kernel.instance()

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        content = {"data": {} if data is None else data, "comm_id": self.comm_id, **keys}
        if msg_type == "comm_msg":
            remember_question(data)
        topic = self.topic.decode("utf-8", "replace") if isinstance(self.topic, bytes) else self.topic
        self.kernel.link.publish(msg_type, content, metadata, buffers, topic=topic)


class Comm(BaseComm):
    def __init__(self, target_name="", data=None, metadata=None, buffers=None, show_warning=True, kernel=None, parent=None,
                 **kwargs):
        if show_warning:
            warnings.warn("The `ipykernel.comm.Comm` class has been deprecated. Please use the `comm` module instead."
                          "For creating comms, use the function `from comm import create_comm`.",
                          DeprecationWarning, stacklevel=2)
        if target_name:
            kwargs["target_name"] = target_name
        super().__init__(data=data, metadata=metadata, buffers=buffers, **kwargs)


class CommManager(base_comm.CommManager):
    def __init__(self, kernel=None, parent=None):
        super().__init__()

    @property
    def kernel(self):
        return Kernel.instance()

    def comm_open(self, stream, ident, msg):
        """As the package's, with the class that targets get from ipykernel and with its logger's name."""
        log = logging.getLogger("ipykernel.comm")
        comm_id, name = msg["content"]["comm_id"], msg["content"]["target_name"]
        comm = Comm(comm_id=comm_id, primary=False, target_name=name, show_warning=False)
        self.register_comm(comm)
        target = self.targets.get(name)
        if target is None:
            log.error("No such comm target registered: %s", name)
        else:
            try:
                target(comm, msg)
                return
            except Exception:
                log.exception("Exception opening comm with target: %s", name)
        comm.close()


BaseComm.__module__ = Comm.__module__ = "ipykernel.comm.comm"
CommManager.__module__ = "ipykernel.comm.manager"
