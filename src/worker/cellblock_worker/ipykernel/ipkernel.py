"""ipykernel's names for the kernel object, and for what it puts into the `comm` package."""

from importlib.util import find_spec

import comm
from cellblock_worker.facade import IPythonKernel

from .kernelbase import Kernel as KernelBase  # noqa: F401

Kernel = IPythonKernel
_is_debugpy_available = find_spec("debugpy") is not None


def _create_comm(*args, **kwargs):
    return comm.create_comm(*args, **kwargs)


def _get_comm_manager(*args, **kwargs):
    return comm.get_comm_manager(*args, **kwargs)
