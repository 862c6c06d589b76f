"""How what is added is found: as a file in a package of ours, or by an entry point of an installed package.

Tools, families, graphs, task sets, graders, rewards, trainers and checkpoints are all found by these functions, so that
adding one is adding its file, nothing is listed anywhere, and what cannot be used is refused in the same words.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import entry_points
from types import FunctionType, ModuleType
from typing import Any


class EntryPointError(ValueError):
    """An entry point of an installed package that cannot be used; names the package, and says how to mend it."""


def modules(package: str, inner: str = "") -> list[ModuleType]:
    """The modules in `package`, imported, by name; none whose name begins with _.

    A package in it stands for its module `inner`; without one, packages are passed over.
    """
    folder = importlib.import_module(package)
    found = sorted((each for each in pkgutil.iter_modules(folder.__path__)), key=lambda each: each.name)
    names = [f"{each.name}.{inner}" if each.ispkg else each.name for each in found if inner or not each.ispkg]
    return [importlib.import_module(f"{package}.{name}") for name in names if not name.startswith("_")]


def installed(group: str, expected: str, fits: Callable[[object], bool]) -> Iterator[tuple[str, Any]]:
    """What installed packages name in `group`, each with its entry's name, by name.

    Raises EntryPointError for one that cannot be loaded, or that is not what is `expected`, a noun with its article.
    """
    for entry in sorted(entry_points(group=group)):
        named = f"{entry.name} = {entry.value!r}" + (f" of the package {entry.dist.name}" if entry.dist else "")
        try:
            loaded: object = entry.load()
        except (ImportError, AttributeError) as error:
            raise EntryPointError(
                f"Got the entry point {named} ({group}), which cannot be loaded: {error}. Mend that package or "
                "uninstall it."
            ) from error
        if not fits(loaded):
            raise EntryPointError(
                f"Got the entry point {named} ({group}), which is {loaded!r:.80}; expected {expected}."
            )
        yield entry.name, loaded


@cache
def import_all(package: str, group: str, decorator: str) -> None:
    """Imports all that registers itself when it is imported: the modules in `package`, and the entry points of `group`.

    Raises EntryPointError.
    """
    modules(package)
    expected = f"a module, or a function in one, with @{decorator}"
    for _ in installed(group, expected, lambda loaded: isinstance(loaded, ModuleType | FunctionType)):
        pass


def check_free(kind: str, name: str, new: object, before: object | None) -> None:
    """Raises ValueError where another `kind` of thing has the name; the same one, defined again, may replace it."""
    if before is not None and home(before) != home(new):
        raise ValueError(
            f"Got a second {kind} named {name!r}, from {home(new)}; expected one, there is {home(before)}. "
            "Give one of them another name."
        )


def home(thing: Any) -> str:
    """Where a function, class or module was defined."""
    return thing.__name__ if isinstance(thing, ModuleType) else f"{thing.__module__}.{thing.__qualname__}"
