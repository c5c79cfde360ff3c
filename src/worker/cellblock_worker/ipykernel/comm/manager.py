"""ipykernel's name for the class of the comm manager."""

from cellblock_worker.comm_classes import CommManager

__all__ = ["CommManager"]
