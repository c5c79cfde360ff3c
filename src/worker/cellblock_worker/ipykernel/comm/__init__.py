"""ipykernel's names for comms."""

from .comm import Comm
from .manager import CommManager

__all__ = ["Comm", "CommManager"]
