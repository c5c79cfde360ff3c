"""The Python side of Cellblock: an IPython shell that runs inside the jail and speaks docs/worker-protocol.md.

Read `main.start` first, then `execution.execute`: the life of the process and of one cell.
"""
