"""File names of cells, by ipykernel's scheme: debuggers and front ends compute the same name from the same code."""

import os
import tempfile

from IPython.core.compilerop import CachingCompiler

HASH_SEED = 0xC70F6907
_MULTIPLY, _MASK = 0x5BD1E995, 0xFFFFFFFF


def murmur2(text, seed=HASH_SEED):
    data = text.encode("utf-8", "replace")
    whole = len(data) & ~3
    h = seed ^ len(data)
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at:at + 4], "little") * _MULTIPLY & _MASK
        k ^= k >> 24
        h = h * _MULTIPLY & _MASK ^ k * _MULTIPLY & _MASK
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * _MULTIPLY & _MASK
    h = (h ^ h >> 13) * _MULTIPLY & _MASK
    return h ^ h >> 15


def directory():
    return f"{tempfile.gettempdir()}{os.sep}ipykernel_{os.getpid()}"


def file_name(code):
    return os.environ.get("IPYKERNEL_CELL_NAME") or f"{directory()}{os.sep}{murmur2(code)}.py"


class CellCompiler(CachingCompiler):
    def get_code_name(self, raw_code, code, number):
        return file_name(raw_code)
