"""ipykernel's name for the class of sys.stdout and sys.stderr."""

from cellblock_worker.streams import OutStream

__all__ = ["OutStream"]
