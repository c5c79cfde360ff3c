"""Entry point of `python -I <this directory>`: makes the directory a package that user code cannot collide with.

Directory execution puts the directory itself on sys.path, where `import streams` or `import shell` of a notebook would
find our files. It is taken off again before anything else is imported; our modules live under one package name.
"""

import _signal  # `signal` itself costs two milliseconds for its enums
import sys

# Front ends send SIGINT to kernels that still start; nothing may end by it, not even one of our imports.
_signal.signal(_signal.SIGINT, _signal.SIG_IGN)

package_directory = sys.path.pop(0)


def load_package():
    from importlib.machinery import ModuleSpec, SourceFileLoader
    from importlib.util import module_from_spec

    path = package_directory + "/__init__.py"
    spec = ModuleSpec("cellblock_worker", SourceFileLoader("cellblock_worker", path), origin=path, is_package=True)
    spec.has_location = True
    spec.submodule_search_locations = [package_directory]
    package = module_from_spec(spec)
    sys.modules["cellblock_worker"] = package
    spec.loader.exec_module(package)


load_package()

from cellblock_worker.main import start  # noqa: E402  The package exists only from here on.

sys.exit(start())
