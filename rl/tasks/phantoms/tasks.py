"""The phantom task set: seeded, unlimited, its splits disjoint by construction.

Task i of a split is drawn from a random stream of its own, keyed by (seed, split, i), so no two splits share a picture
and a longer run only adds tasks. Kinds take turns, so every split holds as many of each.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rl.tasks.demonstrator import LOOK, SEEN
from rl.tasks.phantoms.expert import MEASURE, measure_call, reading, zoom_call
from rl.tasks.phantoms.image import Lesion, draw, place
from rl.tasks.phantoms.questions import KINDS, QUESTIONS, Kind, gold_answer
from rl.tasks.task import Task
from tools.calls import ToolCall
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

SPLITS = {"train": 0, "validation": 1, "test": 2, "warmup": 3}
GRADERS: dict[Kind, str] = {
    "name": "exact",
    "count": "exact",
    "compare": "exact",
    "side": "exact",
    "measure": "millimetres",
}


def _lesions(rng: np.random.Generator, kind: Kind) -> tuple[Lesion, ...]:
    """One lesion, or for questions about two one in each lung; half of the pairs to compare are of one type."""
    if kind not in ("compare", "measure"):
        return (place(rng, -1 if rng.uniform() < 0.5 else 1, calcified=kind == "count"),)
    left, right = place(rng, -1, calcified=False), place(rng, 1, calcified=False)
    if kind == "compare" and rng.uniform() < 1 / 3:  # 1/3 + 2/3 * 1/4 = 1/2
        right = replace(right, type=left.type)
    return left, right


def _expert(kind: Kind, lesions: tuple[Lesion, ...]) -> tuple[tuple[ToolCall, ...], str]:
    """The calls of the expert's turn of looking and its thought afterwards."""
    match kind:
        case "measure":
            return (measure_call(lesions[0], lesions[1]),), SEEN
        case "compare":
            return tuple(zoom_call(each.x, each.y) for each in lesions), reading([each.type for each in lesions], 2)
        case _:
            return (zoom_call(lesions[0].x, lesions[0].y),), SEEN


def make(store: ImageStore, split: str, index: int, seed: int = 0) -> Task:
    """Task `index` of a split; its picture is put into `store`. Raises KeyError for an unknown split."""
    rng = np.random.default_rng([seed, 7, SPLITS[split], index])
    kind = KINDS[index % len(KINDS)]
    lesions = _lesions(rng, kind)
    millimetres = round(float(rng.uniform(0.3, 1.0)), 3)
    spacing = (millimetres, millimetres)
    image = store.put(MedicalImage(draw(rng, lesions), spacing=spacing))
    calls, thought = _expert(kind, lesions)
    return Task(
        id=f"phantoms/{split}/{seed}/{index}",
        kind=kind,
        question=QUESTIONS[kind],
        images=(image,),
        answer=gold_answer(kind, lesions, spacing),
        grader=GRADERS[kind],
        needs_tool=kind != "side",
        regions=tuple((1, lesion.box) for lesion in lesions),
        expert=tuple(call.model_dump() for call in calls),
        reading=thought,
    )


def phantom_tasks(store: ImageStore, split: str, count: int, seed: int = 0) -> Iterator[Task]:
    """The first `count` tasks of a split."""
    return (make(store, split, index, seed) for index in range(count))


def first_thought(kind: str) -> str:
    """What an expert thinks before it calls."""
    return MEASURE if kind == "measure" else LOOK


def guess(rng: np.random.Generator, task: Task) -> str:
    """What somebody who has not looked might answer: a legal answer at random, the right one where it can be seen."""
    match task.kind:
        case "side":
            return task.answer
        case "name":
            return str(rng.choice(["solid", "cystic", "spiculated", "lobulated"]))
        case "count":
            return str(rng.integers(1, 5))
        case "compare":
            return str(rng.choice(["yes", "no"]))
        case _:
            return f"{round(rng.uniform(60, 260))} mm"
