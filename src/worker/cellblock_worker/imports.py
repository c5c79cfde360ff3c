"""Do something when a module is imported for the first time.

What the worker adds to pdb, comm or asyncio must not make every start pay for importing them.
"""

import sys


class _AfterImport:
    def __init__(self):
        self._waiting = {}  # module name → function(module)

    def find_spec(self, name, path=None, target=None):
        if name not in self._waiting:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self._waiting.pop(name))
                return spec
        return None

    def add(self, name, function):
        if name in sys.modules:
            function(sys.modules[name])
            return
        self._waiting[name] = function
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)


class _Loader:
    """The module's own loader, which calls back once it has run the module."""

    def __init__(self, loader, function):
        self._loader = loader
        self._function = function

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._function(module)


after_import = _AfterImport().add
