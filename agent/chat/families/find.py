"""Which family a checkpoint belongs to: the class that knows its tokens and template best.

There is one a file in this folder, and any that an installed package names by entry point (group medvista.families).
"""

import inspect
from collections.abc import Iterator
from functools import cache
from typing import Any

from agent.chat.families.drift import drift
from agent.chat.families.family import Family
from agent.chat.families.template import TemplateError
from tools.discovery import check_free, installed, modules

ENTRY_POINT_GROUP = "medvista.families"


@cache
def families() -> tuple[type[Family], ...]:
    """The families there are. Raises EntryPointError, or ValueError for two of one name."""
    found: dict[str, type[Family]] = {}
    named = installed(ENTRY_POINT_GROUP, "a class that is a Family and has all of its methods", _is_whole)
    for each in (*_shipped(), *(family for _, family in named)):
        check_free("family", each.name, each, found.get(each.name))
        found[each.name] = each
    return tuple(found.values())


def _shipped() -> Iterator[type[Family]]:
    for module in modules(__package__ or ""):
        yield from (each for each in vars(module).values() if _is_whole(each) and each.__module__ == module.__name__)


def _is_whole(each: object) -> bool:
    return isinstance(each, type) and issubclass(each, Family) and not inspect.isabstract(each)


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
