"""How much longer tests wait than hardware needs. Only the rig says so: there everything is emulated, on a machine with others."""

import os

SLOW_HOST = int(os.environ.get("CELLBLOCK_TESTS_SLOW_HOST", "1"))
