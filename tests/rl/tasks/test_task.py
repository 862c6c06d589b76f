"""A task survives its passage through a file."""

import json
from typing import Any

import pytest

from rl.tasks.task import Task


def test_a_task_comes_back_from_json_as_it_was() -> None:
    call = {"name": "zoom_in", "arguments": {"image": 1, "box": [0, 0, 120, 120]}}
    task = Task(
        "t/1", "name", "What?", ("a", "b"), "solid", "exact", True, ((1, (0.5, 1.0, 2.0, 3.0)),), (call,), "Hm."
    )
    assert Task.from_plain(json.loads(json.dumps(task.to_plain()))) == task


def test_what_nobody_knows_stays_unknown() -> None:
    task = Task("t/2", "open", "Why?", (), "because", "exact")
    assert Task.from_plain(json.loads(json.dumps(task.to_plain()))).needs_tool is None


@pytest.mark.parametrize("name", ["question", "answer", "kind"])
def test_half_a_character_is_refused_where_a_task_is_made(name: str) -> None:
    whole: Any = {"id": "1", "kind": "k", "question": "q", "images": (), "answer": "a", "grader": "exact"}
    with pytest.raises(ValueError, match=rf"whose {name} holds half a surrogate pair"):
        Task(**{**whole, name: "\ud800"})
