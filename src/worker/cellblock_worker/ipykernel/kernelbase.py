"""ipykernel's name for the class that kernels of all languages derive from."""

from cellblock_worker.facade import Kernel

__all__ = ["Kernel"]
