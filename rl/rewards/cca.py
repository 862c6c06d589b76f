"""CCA, consensus-based credit assignment: a right answer earns more where its looks agree with the others' (MedVR).

Over the right episodes of a group (T+), M_i is the union of the boxes that episode i looked at, in pixels of the images
they lie in. The consensus is what more than half of T+ looked at; an episode of T+ earns 1.0 if the IoU of M_i with the
consensus is above 0.5, else 0.5; a wrong one earns 0 (arXiv 2604.08203). No region labels are read.

Boxes are not drawn into pixels: their edges cut each image into cells, and areas are exact. Edge cases, by the same
formula: an only right episode is its own consensus (1.0); where the consensus is empty, those who looked at nothing
agree with it (1.0, the IoU of two empty masks being 1) and those who looked do not (0.5).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rl.rewards.answer import answer
from rl.rewards.registry import group_component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from rl.trajectories.looks import looked_at
from tools.geometry import PixelBox

Looks = Mapping[str, Sequence[PixelBox]]
"""Boxes by the id of the image that they lie in, in its pixels."""
AGREE = 0.5


@group_component
def cca(task: Task, states: Sequence[FinishedEpisode]) -> list[float]:
    """1.0, 0.5 or 0.0 for each episode of a task's group; an episode by itself is its own consensus."""
    return credits(
        [looked_at(state.get("calls", [])) for state in states], [answer(task, state) == 1.0 for state in states]
    )


def credits(looks: Sequence[Looks], right: Sequence[bool]) -> list[float]:
    """What each episode of a group earns: 1.0, 0.5 or 0.0."""
    agreed = np.array(right, np.bool_)
    if not agreed.any():
        return [0.0] * len(looks)
    masks, areas = _cells(looks)
    consensus = masks[agreed].sum(axis=0) > agreed.sum() / 2
    return [
        (1.0 if _iou(mask, consensus, areas) > AGREE else 0.5) if is_right else 0.0
        for mask, is_right in zip(masks, right, strict=True)
    ]


def _cells(looks: Sequence[Looks]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """(episodes, cells): which cells each episode looked at; and each cell's area, over all images."""
    masks: list[NDArray[np.bool_]] = [np.zeros((len(looks), 0), np.bool_)]
    areas: list[NDArray[np.float64]] = [np.zeros(0)]
    for image in sorted({image for each in looks for image in each}):
        boxes = [np.reshape(each.get(image, ()), (-1, 4)) for each in looks]
        every = np.concatenate(boxes)
        across, down = np.unique(every[:, 0::2]), np.unique(every[:, 1::2])
        areas.append(np.outer(np.diff(down), np.diff(across)).ravel())
        x, y = across[:-1], down[:-1]
        union = [
            np.any([np.outer((y1 <= y) & (y < y2), (x1 <= x) & (x < x2)) for x1, y1, x2, y2 in each], axis=0).ravel()
            if len(each)
            else np.zeros(len(x) * len(y), np.bool_)
            for each in boxes
        ]
        masks.append(np.array(union, np.bool_).reshape(len(looks), -1))
    return np.concatenate(masks, axis=1), np.concatenate(areas)


def _iou(mask: NDArray[np.bool_], consensus: NDArray[np.bool_], areas: NDArray[np.float64]) -> float:
    """Over all images together; 1 where both are empty."""
    either = float(areas[mask | consensus].sum())
    return float(areas[mask & consensus].sum()) / either if either else 1.0
