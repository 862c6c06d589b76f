"""The trainers there are: one a file of this folder, or a folder with a trainer.py; or of an installed package, which
names its class by entry point (group medvista.trainers)."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from typing_extensions import TypeIs

from rl.config import ConfigError
from rl.training.trainers.trainer import Trainer
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
    """All trainers by name. Raises ConfigError for an entry point that names none."""
    found: dict[str, type[Trainer]] = {}
    for file in pkgutil.iter_modules([str(Path(__file__).parent)]):
        module = importlib.import_module(f"{__package__}.{file.name}" + (".trainer" if file.ispkg else ""))
        for _, each in inspect.getmembers(module, inspect.isclass):
            if is_trainer(each) and each.__module__ == module.__name__:
                found[file.name] = each
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            loaded: object = entry.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"Got the entry point {entry.value!r}, which cannot be loaded: {error}.") from error
        if not is_trainer(loaded):
            raise ConfigError(
                f"Got the entry point {entry.name} = {entry.value!r} ({ENTRY_POINT_GROUP}), which is {loaded!r}; "
                "expected a class that is a Trainer and has all of its methods."
            )
        found[entry.name] = loaded
    return found


def is_trainer(each: object) -> TypeIs[type[Trainer]]:
    """Whether it is a class that can train."""
    return isinstance(each, type) and issubclass(each, Trainer) and not inspect.isabstract(each)
