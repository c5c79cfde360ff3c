"""ipykernel's names for the classes of comms."""

from cellblock_worker.comm_classes import BaseComm, Comm

__all__ = ["BaseComm", "Comm"]
