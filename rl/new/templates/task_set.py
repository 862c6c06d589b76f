"""new_task_set: what is asked about which images, where they come from, and under which licence."""

from collections.abc import Iterator

import numpy as np

from rl.tasks.registry import SPLITS, TaskRequest, task_set
from rl.tasks.task import Task
from tools.images.image import MedicalImage

SIDE = 128


@task_set(drawn=True)
def new_task_set(wanted: TaskRequest) -> Iterator[Task]:
    """Which of two spots is brighter: one look."""
    for index in range(wanted.count or 0):
        rng = np.random.default_rng([wanted.seed, SPLITS.index(wanted.split), index])  # no two splits share a picture
        pixels = rng.integers(0, 60, (SIDE, SIDE), dtype=np.uint8)
        side = ("left", "right")[int(rng.integers(2))]
        column = 24 if side == "left" else 88
        pixels[56:72, column : column + 16] += 180
        yield Task(
            id=f"new_task_set/{wanted.split}/{wanted.seed}/{index}",
            kind="side",
            question="Is the spot on the left or on the right of the image?",
            images=(wanted.store.put(MedicalImage(pixels)),),
            answer=side,
            grader="closed",
            needs_tool=False,
            regions=((1, (column, 56, column + 16, 72)),),
            rules={"options": ["left", "right"]},
        )
