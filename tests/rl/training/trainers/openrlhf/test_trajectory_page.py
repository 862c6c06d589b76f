"""docs/trajectory.md is true: what it names is there, and an episode calls it in that order."""

import ast
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from agent.encoder import Encoder
from rl.tasks.task import Task
from tests.rl.training.trainers.openrlhf.conftest import Engine, Gallery
from tools.run import threads

ROOT = Path(__file__).parents[5]
PAGE = (ROOT / "docs" / "trajectory.md").read_text(encoding="utf-8")
NAMED = re.findall(r"^(\d+\.|-) `([\w/.]+\.py)` `([\w.]+)`", PAGE, re.MULTILINE)
CALLED = [(file, name) for mark, file, name in NAMED if mark != "-"]


def names_in(file: Path) -> set[str]:
    """Functions and classes of a module, and the methods in these."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            functions = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{each.name}" for each in functions}
    return found


@contextmanager
def calls_noted() -> Iterator[list[tuple[str, str]]]:
    """(file, qualified name) of every call of our code in it, in order, in all threads that begin in it."""
    noted: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        del argument
        if event == "call" and (path := Path(frame.f_code.co_filename)).is_relative_to(ROOT):
            noted.append((path.relative_to(ROOT).as_posix(), frame.f_code.co_qualname))

    sys.setprofile(note)
    threading.setprofile(note)
    try:
        yield noted
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # pyright: ignore[reportArgumentType]


def test_every_step_of_the_page_is_there() -> None:
    assert len(CALLED) == 25 and len(NAMED) > len(CALLED)
    assert [each for each in NAMED if each[2] not in names_in(ROOT / each[1])] == []


def test_an_episode_goes_that_way(
    execute: Callable[..., Any], gallery: Gallery, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_free", [])  # those that wait for tools began before, and note nothing
    task: Task = next(each for each in gallery[1] if each.kind == "count")
    look = '<tool_call>{"name": "zoom_in", "arguments": {"image": 1, "box": [100, 100, 300, 300]}}</tool_call>'
    turns = [f"<think>I must look closer.</think>{look}", "<think>I can see it.</think><answer>2</answer>"]
    with calls_noted() as noted:
        execute(task, Engine(turns, encoder))
    at = 0
    for step in CALLED:
        assert step in noted[at:], f"{step} is not called behind {noted[at - 1]}"
        at = noted.index(step, at) + 1
