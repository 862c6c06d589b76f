"""A task survives its passage through a file."""

import json

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
