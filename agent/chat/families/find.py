"""Which family a checkpoint belongs to: the class that knows its tokens and template best.

There is one a file in this folder, and any that an installed package names by entry point (group medvista.families).
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from agent.chat.families.drift import drift
from agent.chat.families.family import Family
from agent.chat.families.template import TemplateError

ENTRY_POINT_GROUP = "medvista.families"


@cache
def families() -> tuple[type[Family], ...]:
    """The families there are. Raises ValueError for an entry point that names none."""
    return (*_shipped(), *(_entered(entry) for entry in entry_points(group=ENTRY_POINT_GROUP)))


def _shipped() -> Iterator[type[Family]]:
    for file in sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])):
        module = importlib.import_module(f"{__package__}.{file}")
        for _, each in inspect.getmembers(module, inspect.isclass):
            if issubclass(each, Family) and each.__module__ == module.__name__ and not inspect.isabstract(each):
                yield each


def _entered(entry: EntryPoint) -> type[Family]:
    named = f"{entry.name} = {entry.value!r}" + (f" of the package {entry.dist.name}" if entry.dist else "")
    try:
        loaded: object = entry.load()
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"Got the entry point {named} ({ENTRY_POINT_GROUP}), which cannot be loaded: {error}. Mend that package or "
            "uninstall it."
        ) from error
    if isinstance(loaded, type) and issubclass(loaded, Family) and not inspect.isabstract(loaded):
        return loaded
    raise ValueError(
        f"Got the entry point {named} ({ENTRY_POINT_GROUP}), which is {loaded!r}; expected a class that is a Family "
        "and has all of its methods."
    )


def seen_as(processor: Any) -> Family:
    """The family of a checkpoint's processor, whatever its chat template. Raises TemplateError where none knows it."""
    found = max(families(), key=lambda each: each.fits(processor))
    if found.fits(processor) == 0:
        names = ", ".join(each.name for each in families())
        raise TemplateError(
            f"Got a {type(processor).__name__} whose image tokens no family knows, expected one of {names}; write its "
            f"rules as agent/chat/families/qwen.py does, and name them by an entry point of {ENTRY_POINT_GROUP}."
        )
    return found(processor)


def family_of(processor: Any) -> Family:
    """The rules for a checkpoint's processor.

    Raises TemplateError where no family knows it, or where its template cannot be extended without drift.
    """
    family = seen_as(processor)
    if (reason := drift(family)) is not None:
        raise TemplateError(
            f"Got a chat template of the family {family.name} that cannot be extended without drift: {reason}. "
            "Publish the checkpoint with a template that renders each message by itself."
        )
    return family
