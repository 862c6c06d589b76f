"""OpenRLHF's own parser of its command line, without OpenRLHF: so that a flag it would refuse is found before a run.

Its parser is made where its program starts, behind imports that take a minute and, without a GPU, an adaptation. The
statements that make it need neither: those of its main block, up to `parse_args`, are read from its file and run.
"""

import argparse
import ast
import importlib.util
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from rl.training.trainers.openrlhf.command import arguments
from tools.spelling import did_you_mean

OPENRLHF = "openrlhf.cli.train_ppo_ray"


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would end the program."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def faults_of(flags: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(flag, what is wrong) of each that OpenRLHF does not know, or whose value it does not take."""
    parser = _openrlhfs()
    if parser is None:
        return
    known = {option.removeprefix("--") for action in parser._actions for option in action.option_strings}  # pyright: ignore[reportPrivateUsage]
    for name, value in flags.items():
        if name not in known:
            yield name, f"Got a flag that OpenRLHF does not know.{did_you_mean(name, known)}"
            continue
        try:
            parser.parse_args(arguments({name: value}))
        except (ValueError, argparse.ArgumentError) as error:
            yield name, f"Got {value!r}, which OpenRLHF does not take: {error}."


@cache
def _openrlhfs() -> argparse.ArgumentParser | None:
    """The parser; None where OpenRLHF is not installed."""
    try:
        spec = importlib.util.find_spec(OPENRLHF)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    main = next(node for node in tree.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))
    making = list(takewhile(lambda statement: "parse_args" not in ast.unparse(statement), main.body))
    names: dict[str, Any] = {"argparse": SimpleNamespace(ArgumentParser=_Parser), "datetime": datetime}
    exec(compile(ast.Module(body=making, type_ignores=[]), spec.origin, "exec"), names)
    return names["parser"]
