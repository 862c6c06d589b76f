"""Episodes written by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rl.tasks.task import Task
from rl.trajectories.record import Trajectory

Episode = Callable[..., Trajectory]
GOLD = (40.0, 40.0, 60.0, 60.0)
SIZE = (200, 200)


@pytest.fixture(scope="session")
def episode() -> Episode:
    """An episode about one image: `right`, abstained (`right=None`), with boxes that it looked at."""

    def made(
        task: str = "set/1",
        right: bool | None = True,
        looks: Sequence[Sequence[float]] = (),
        image: str = "i",
        kind: str = "k",
        sample: int = 0,
        answer: str = "a",
        regions: Sequence[Any] = ((1, GOLD),),
        needs_tool: bool | None = True,
        **fields: Any,
    ) -> Trajectory:
        asked = Task(task, kind, "?", (image,), "a", "exact", needs_tool, tuple(regions))
        calls = [
            {
                "call": {"name": "zoom_in", "arguments": {}},
                "status": "ok",
                "text": "",
                "images": ["view"],
                "regions": [{"image": image, "box": list(box), "image_size": list(SIZE)}],
            }
            for box in looks
        ]
        plain: dict[str, Any] = {
            "id": f"{task}/{sample}",
            "stage": "test",
            "task": asked.to_plain(),
            "answer": None if right is None else answer,
            "outcome": "abstained" if right is None else "answered",
            "images": [image],
            "rows": [{"ids": [1] * 10, "sampled": [[4, 10, [-0.5] * 6, ["v"], "stop", "", ""]], "images": []}],
            "transcript": [],
            "calls": calls,
            "turns": 1,
            "faults": 0,
            "rewards": {"answer": float(bool(right))},
            "reward": 0.0,
            "seconds": 0.5,
            "sample": sample,
        }
        return Trajectory.from_plain({**plain, **fields})

    return made
