"""ipykernel's names for the shell and its parts."""

from cellblock_worker.displays import ZMQDisplayPublisher, ZMQShellDisplayHook
from cellblock_worker.magics import KernelMagics
from cellblock_worker.shell import ZMQInteractiveShell

__all__ = ["KernelMagics", "ZMQDisplayPublisher", "ZMQInteractiveShell", "ZMQShellDisplayHook"]
