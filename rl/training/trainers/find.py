"""The trainers there are: one a file of this folder, or a folder with a trainer.py; or of an installed package, which
names its class by entry point (group medvista.trainers)."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from typing_extensions import TypeIs

from rl.config import ConfigError
from rl.training.trainers.trainer import Trainer
from tools.discovery import EntryPointError, check_free, installed
from tools.spelling import did_you_mean

ENTRY_POINT_GROUP = "medvista.trainers"


def find_trainer(name: str) -> Trainer:
    """The trainer that a config names in `rl.trainer`. Raises ConfigError where there is none."""
    try:
        known = trainers()
    except EntryPointError as error:
        raise ConfigError(str(error)) from error
    if name not in known:
        raise ConfigError(
            f"Got rl.trainer={name!r}, expected one of {', '.join(sorted(known))}.{did_you_mean(name, known)}"
        )
    return known[name]()


@cache
def trainers() -> Mapping[str, type[Trainer]]:
    """All trainers by name. Raises EntryPointError, or ValueError for two of one name."""
    found: dict[str, type[Trainer]] = {}
    for file in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{__package__}.{file.name}" + (".trainer" if file.ispkg else ""))
        for each in vars(module).values():
            if is_trainer(each) and each.__module__ == module.__name__:
                found[file.name] = each
    named = installed(ENTRY_POINT_GROUP, "a class that is a Trainer and has all of its methods", is_trainer)
    for name, theirs in named:
        check_free("trainer", name, theirs, found.get(name))
        found[name] = theirs
    return found


def is_trainer(each: object) -> TypeIs[type[Trainer]]:
    """Whether it is a class that can train."""
    return isinstance(each, type) and issubclass(each, Trainer) and not inspect.isabstract(each)
