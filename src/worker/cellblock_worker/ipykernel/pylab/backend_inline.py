"""The old name of matplotlib_inline.backend_inline."""

from matplotlib_inline.backend_inline import *  # noqa: F401,F403
