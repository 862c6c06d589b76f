"""How graders, rewards and task sets are found: by being a file of their package, or by an entry point of another's.

Each such file registers itself with a decorator when it is imported, so adding one is adding its file.
"""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points


@cache
def import_all(package: str, group: str) -> None:
    """Imports the modules in `package` whose names do not begin with _, and loads the entry points of `group`."""
    folder = importlib.import_module(package)
    for module in pkgutil.iter_modules(folder.__path__, f"{package}."):
        if not module.name.rpartition(".")[2].startswith("_"):
            importlib.import_module(module.name)
    for entry in entry_points(group=group):
        entry.load()
