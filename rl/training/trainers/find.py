"""The trainers there are: one a file of this folder, or a folder with a trainer.py; or of an installed package, which
names its class by entry point (group medvista.trainers)."""

import inspect
from collections.abc import Mapping
from functools import cache

from typing_extensions import TypeIs

from rl.config import ConfigError
from rl.training.trainers.trainer import Trainer
from tools.discovery import check_free, installed, modules
from tools.spelling import did_you_mean

ENTRY_POINT_GROUP = "medvista.trainers"


def find_trainer(name: str) -> Trainer:
    """The trainer that a config names in `rl.trainer`. Raises ConfigError where there is none."""
    known = trainers()
    if name not in known:
        raise ConfigError(
            f"Got rl.trainer={name!r}, expected one of {', '.join(sorted(known))}.{did_you_mean(name, known)}"
        )
    return known[name]()


@cache
def trainers() -> Mapping[str, type[Trainer]]:
    """All trainers by name. Raises EntryPointError, or ValueError for two of one name."""
    found: dict[str, type[Trainer]] = {}
    for module in modules(__package__ or "", inner="trainer"):
        name = module.__name__.removeprefix(f"{__package__}.").partition(".")[0]
        own = [each for each in vars(module).values() if is_trainer(each) and each.__module__ == module.__name__]
        if own:
            found[name] = own[0]
    expected = "a class that is a Trainer and has all of its methods"
    for name, loaded in installed(ENTRY_POINT_GROUP, expected, is_trainer):
        check_free("trainer", name, loaded, found.get(name))
        found[name] = loaded
    return found


def is_trainer(each: object) -> TypeIs[type[Trainer]]:
    """Whether it is a class that can train."""
    return isinstance(each, type) and issubclass(each, Trainer) and not inspect.isabstract(each)
