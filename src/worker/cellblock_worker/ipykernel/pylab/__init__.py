"""The old names of matplotlib_inline."""
