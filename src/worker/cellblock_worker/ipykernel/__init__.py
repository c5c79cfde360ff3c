"""Stands for ipykernel's package, see standins.py."""

from ._version import __version__, kernel_protocol_version, kernel_protocol_version_info, version_info
from .connect import connect_qtconsole, get_connection_file, get_connection_info, write_connection_file

__all__ = ["__version__", "connect_qtconsole", "get_connection_file", "get_connection_info", "kernel_protocol_version",
           "kernel_protocol_version_info", "version_info", "write_connection_file"]
