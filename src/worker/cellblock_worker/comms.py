"""Comms: the `comm` package's messages to front ends and from them.

The package is imported when a library or a front end first needs it; `install` fills in what it leaves to kernels.

Front ends answer on the shell that they like: JupyterLab gives each comm target a subshell. Libraries that wait for an
answer to a question of their own (anywidget, which names it by `data["content"]["id"]`) get it in the shell that asked.
"""

import threading
from collections import OrderedDict

from . import requests
from .imports import after_import

QUESTIONS_REMEMBERED = 1_024
_questions = OrderedDict()  # id of a question → id of the subshell that asked


def _question_id(data):
    content = data.get("content") if isinstance(data, dict) else None
    number = content.get("id") if isinstance(content, dict) else None
    return number if isinstance(number, str) else None


def remember_question(data):
    question = _question_id(data)
    if question is None:
        return
    _questions[question] = requests.current().subshell
    if len(_questions) > QUESTIONS_REMEMBERED:
        _questions.popitem(last=False)


def asking_subshell(request):
    """The subshell in which a comm message belongs: that of the question it answers, else its own."""
    return _questions.pop(_question_id(request.content.get("data")), request.subshell)


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
