"""`import ipykernel` in a cell gives our stand-ins, whether the environment has ipykernel or not.

Libraries import it to find out where they run, and to get at the kernel, at comms, at streams. The real package would
answer with objects that have nothing to do with this kernel, and cost a fifth of a second for its sockets. So the package
is ours and hands out our own classes under ipykernel's names; modules that have no stand-in are the real package's, where
there is one.

At start there are only module objects without contents. They come when anybody looks into them.
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
    package = _unloaded(NAME, "__init__.py")
    # tqdm.auto shows its bars as widgets when this module is there already.
    package.zmqshell = _unloaded(NAME + ".zmqshell", "zmqshell.py")


def _unloaded(name, file):
    path, is_package = os.path.join(DIRECTORY, file), name == NAME
    spec = ModuleSpec(name, SourceFileLoader(name, path), origin=path, is_package=is_package)
    spec.has_location = True
    module = sys.modules[name] = _Unloaded(name)
    module.__spec__, module.__loader__, module.__file__, module.__package__ = spec, spec.loader, path, NAME
    return module


def _load(module):
    if module.__name__ == NAME:
        real = PathFinder.find_spec(NAME)
        elsewhere = list(real.submodule_search_locations or ()) if real else []
        module.__path__ = module.__spec__.submodule_search_locations = [DIRECTORY, *elsewhere]
    module.__loader__.exec_module(module)
