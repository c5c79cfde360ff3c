"""The version of the installed ipykernel, else of the one that this kernel behaves like: libraries ask for minimums."""

import re
from importlib import metadata

BEHAVES_LIKE = "7.4.0"


def _version():
    try:
        return metadata.version("ipykernel")
    except metadata.PackageNotFoundError:
        return BEHAVES_LIKE


def _parts(version):
    numbers, rest = re.match(r"(\d+(?:\.\d+)*)(.*)", version).groups()
    return (*map(int, numbers.split(".")), *([rest] if rest else []))


__version__ = _version()
version_info = _parts(__version__)
kernel_protocol_version_info = (5, 3)
kernel_protocol_version = "5.3"
