"""Which family a checkpoint belongs to: the file of this folder that knows its tokens and template best."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.chat_model.families.drift import drift
from agent.chat_model.families.family import Family, TemplateError


def families() -> Iterator[type[Family]]:
    """The rules there are, one class a file."""
    for file in sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])):
        module = importlib.import_module(f"{__package__}.{file}")
        for _, each in inspect.getmembers(module, inspect.isclass):
            if issubclass(each, Family) and each.__module__ == module.__name__ and not inspect.isabstract(each):
                yield each


def family_of(processor: Any) -> Family:
    """The rules for a checkpoint's processor.

    Raises TemplateError where no family knows it, or where its template cannot be extended without drift.
    """
    found = max(families(), key=lambda each: each.fits(processor))
    if found.fits(processor) == 0:
        names = ", ".join(each.name for each in families())
        raise TemplateError(
            f"Got a {type(processor).__name__} whose image tokens no family knows, expected one of {names}; "
            "write its rules as a file beside agent/chat_model/families/qwen.py."
        )
    family = found(processor)
    if (reason := drift(family)) is not None:
        raise TemplateError(
            f"Got a chat template of the family {family.name} that cannot be extended without drift: {reason}. "
            "Publish the checkpoint with a template that renders each message by itself."
        )
    return family
