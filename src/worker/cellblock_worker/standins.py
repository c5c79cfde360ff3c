"""`import ipykernel` in a cell gives our stand-ins, whether the environment has ipykernel or not.

Libraries import it to find out where they run, and to get at the kernel, at comms, at streams. The real package would
answer with objects that have nothing to do with this kernel, and cost a fifth of a second for its sockets. So the package
is ours and hands out our own classes under ipykernel's names; modules that have no stand-in are the real package's, where
there is one.

At start there is only a module object without contents. They come when anybody looks into it.
"""

import os
import sys
import threading
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

NAME = "ipykernel"
DIRECTORY = os.path.join(os.path.dirname(__file__), NAME)
_loading = threading.RLock()


class _Unloaded(ModuleType):
    def __getattr__(self, attribute):
        with _loading:
            if self.__class__ is _Unloaded:
                self.__class__ = ModuleType
                _load(self)
        return getattr(self, attribute)


def plant():
    path = os.path.join(DIRECTORY, "__init__.py")
    spec = ModuleSpec(NAME, SourceFileLoader(NAME, path), origin=path, is_package=True)
    spec.has_location = True
    package = _Unloaded(NAME)
    package.__spec__, package.__loader__, package.__file__, package.__package__ = spec, spec.loader, path, NAME
    sys.modules[NAME] = package


def _load(package):
    real = PathFinder.find_spec(NAME)
    elsewhere = list(real.submodule_search_locations or ()) if real else []
    package.__path__ = package.__spec__.submodule_search_locations = [DIRECTORY, *elsewhere]
    package.__loader__.exec_module(package)
