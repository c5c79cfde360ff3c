"""The old name of matplotlib_inline.config."""

from matplotlib_inline.config import *  # noqa: F401,F403
