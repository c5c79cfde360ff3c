"""`import ipykernel` in a cell gives our stand-ins, whether the environment has ipykernel or not.

Libraries import it to find out where they run, and to get at the kernel, at comms, at streams. The real package would
answer with objects that have nothing to do with this kernel, and cost a fifth of a second for its sockets. So the package
is ours and hands out our own classes under ipykernel's names; modules that have no stand-in are the real package's, where
there is one.

At start there are only module objects without contents: libraries look for their names in sys.modules. The contents come
when anybody looks into one of them.
"""

import os
import sys
import threading
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

NAME = "ipykernel"
DIRECTORY = os.path.join(os.path.dirname(__file__), NAME)
PACKAGES = ("", "comm")
# What ipykernel itself imports before the first cell.
MODULES = ("_version", "comm.comm", "comm.manager", "compiler", "connect", "displayhook", "eventloops", "iostream", "ipkernel",
           "jsonutil", "kernelapp", "kernelbase", "zmqshell")
# Code that looks through all modules asks them for other names of this kind, which is no reason to fill them in.
SPECIAL = ("__all__", "__path__", "__version__")
_loading = threading.RLock()


class _Unloaded(ModuleType):
    def __getattr__(self, attribute):
        if attribute.startswith("__") and attribute not in SPECIAL:
            raise AttributeError(f"module {self.__name__!r} has no attribute {attribute!r}")
        with _loading:
            if self.__class__ is _Unloaded:
                _load(self)
        return getattr(self, attribute)


def plant():
    for name in PACKAGES:
        _plant(name, os.path.join(name, "__init__.py"), True)
    for name in MODULES:
        _plant(name, name.replace(".", os.sep) + ".py", False)


def _plant(name, file, is_package):
    name, path = f"{NAME}.{name}".rstrip("."), os.path.join(DIRECTORY, file)
    spec = ModuleSpec(name, SourceFileLoader(name, path), origin=path, is_package=is_package)
    spec.has_location = True
    module = sys.modules[name] = _Unloaded(name)
    module.__spec__, module.__loader__, module.__file__ = spec, spec.loader, path
    module.__package__ = name if is_package else name.rpartition(".")[0]


def _load(module):
    spec = module.__spec__
    module.__class__ = ModuleType
    try:
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations = [os.path.dirname(spec.origin), *_real_directories(spec.name)]
            # The import system does this for what it imports itself.
            for name in PACKAGES[1:] + MODULES:
                parent, _, child = f"{NAME}.{name}".rpartition(".")
                if parent == spec.name:
                    setattr(module, child, sys.modules[f"{NAME}.{name}"])
        spec.loader.exec_module(module)
    except ImportError as error:  # Of the package `comm`, which is not everywhere.
        module.__class__ = _Unloaded
        raise AttributeError(f"module {spec.name!r} cannot be used in this environment: {error}") from error


def _real_directories(name):
    real = PathFinder.find_spec(NAME)
    below = name.split(".")[1:]
    return [os.path.join(directory, *below) for directory in (real.submodule_search_locations or ())] if real else []
