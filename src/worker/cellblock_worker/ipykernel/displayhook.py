"""ipykernel's name for what shows the value of a cell."""

from cellblock_worker.displays import ZMQShellDisplayHook

__all__ = ["ZMQShellDisplayHook"]
