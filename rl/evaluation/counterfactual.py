"""Counterfactual pairs: the same image with the evidence erased, so that nothing in it can give the old answer.

The gold regions, with a margin, are filled from what lies around them (Telea, J. Graphics Tools 9(1), 2004, in OpenCV)
and given the surroundings' own noise, so that no smooth patch tells where something was. A policy that looks must then
change its answer or abstain; one that answers as before did not take its answer from there.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rl.evaluation.schema import Counterfactual, Mean
from rl.evaluation.scores import abstained, images_of, question_mean, question_of, right
from rl.evaluation.statistics import Scored, clustered_mean
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from tools.geometry import PixelBox
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

ERASED = "/erased"
"""Ends the id of a task whose evidence is erased."""
MARGIN = 0.25
"""Of a region's side, added on each side: a lesion's edge reaches beyond its box."""
LEAST_MARGIN = 3
LARGEST = 0.5
"""Share of the image that may be erased: of less than the rest, nothing can be filled in."""
_REACH = 5
"""Pixels around a hole that fill it."""
_SHADES = 255.0
Array = NDArray[Any]


def pairs(tasks: Iterable[Task], store: ImageStore) -> Iterator[tuple[Task, Task]]:
    """Each task that has gold regions in flat images, and its twin on the erased images, put into `store`.

    The twin keeps the gold answer, so that it counts as right where the old answer is given again.
    """
    for task in tasks:
        if task.regions and (images := _erased_images(task, store)) is not None:
            yield task, replace(task, id=task.id + ERASED, images=images, regions=(), expert=(), reading="")


def _erased_images(task: Task, store: ImageStore) -> tuple[str, ...] | None:
    """Ids of the task's images with their regions erased; None where that cannot be done."""
    changed: list[str] = []
    for number, image_id in enumerate(task.images, start=1):
        image, boxes = store.get(image_id), [box for place, box in task.regions if place == number]
        if not boxes:
            changed.append(image_id)
            continue
        hole = _hole(image, boxes)
        if image.volume is not None or hole.mean() > LARGEST:
            return None
        changed.append(store.put(erase(image, boxes)))
    return tuple(changed)


def erase(image: MedicalImage, boxes: Sequence[PixelBox]) -> MedicalImage:
    """The image without what lies in `boxes` (its pixels): the same type, spacing and window; an original of its own.

    For one image and boxes always the same pixels.
    """
    hole = _hole(image, boxes)
    planes = np.atleast_3d(image.pixels).astype(np.float32)
    rng = np.random.default_rng([int(image.id[:8], 16), len(boxes)])
    filled = np.stack([_filled(planes[:, :, place], hole, rng) for place in range(planes.shape[2])], axis=2)
    pixels = np.where(hole[:, :, None], filled, planes).reshape(image.pixels.shape)
    if np.issubdtype(image.pixels.dtype, np.integer):
        limits = np.iinfo(image.pixels.dtype)
        pixels = np.clip(np.rint(pixels), limits.min, limits.max)
    made = pixels.astype(image.pixels.dtype)
    return MedicalImage(made, spacing=image.spacing, window=image.window, facts=image.facts)


def _hole(image: MedicalImage, boxes: Sequence[PixelBox]) -> NDArray[np.bool_]:
    """(height, width), true in the boxes and their margins."""
    hole = np.zeros((image.height, image.width), bool)
    for x1, y1, x2, y2 in boxes:
        across, down = (max(LEAST_MARGIN, MARGIN * side) for side in (x2 - x1, y2 - y1))
        left, top = max(0, int(x1 - across)), max(0, int(y1 - down))
        hole[top : int(np.ceil(y2 + down)), left : int(np.ceil(x2 + across))] = True
    return hole


def _filled(plane: NDArray[np.float32], hole: NDArray[np.bool_], rng: np.random.Generator) -> Array:
    """The plane with its hole filled smoothly, and the grain of the surroundings laid over the filling."""
    import cv2

    library: Any = cv2
    low, range_ = float(plane.min()), max(float(np.ptp(plane)), 1e-6)
    shades = (plane - low) * (_SHADES / range_)  # OpenCV's constants are made for 8-bit values
    smooth: Array = library.inpaint(shades, hole.astype(np.uint8), _REACH, library.INPAINT_TELEA)
    smooth = smooth * (range_ / _SHADES) + low
    size = (3, 3)
    kernel = np.ones((4 * _REACH + 1, 4 * _REACH + 1), np.uint8)
    around = library.dilate(hole.astype(np.uint8), kernel).astype(bool) & ~hole
    grain = plane - library.blur(plane, size)
    noise = rng.standard_normal(plane.shape).astype(np.float32)
    noise -= library.blur(noise, size)
    spread = float(grain[around].std()) if around.any() else 0.0
    return smooth + noise * (spread / float(noise.std()))


def counterfactual(asked: Sequence[Trajectory], erased: Sequence[Trajectory]) -> Counterfactual:
    """What the policy says when the evidence is gone, over the questions that were also asked without it.

    visual_hallucination_rate: of the pairs that it answered rightly with the evidence, the share in which it gives the
    same answer without. gap: accuracy with the evidence less the share of old answers without; a policy that does not
    look has none. By chance a guess repeats the old answer too, so the rate of a policy that looks and then guesses is
    that of a guess, not 0.
    """
    originals = {(question_of(each), each.sample): each for each in asked}
    pairs = [(originals.get((question_of(each).removesuffix(ERASED), each.sample)), each) for each in erased]
    both = [(before, after) for before, after in pairs if before is not None]
    before, after = [pair[0] for pair in both], [pair[1] for pair in both]
    told = [Scored(images_of(first), right(second)) for first, second in both if first.correct]
    gaps = [Scored(images_of(first), right(first) - right(second)) for first, second in both]
    return Counterfactual(
        pairs=len(both),
        questions=len({question_of(each) for each in before}),
        accuracy_with_evidence=Mean.of(question_mean(before, right)),
        old_answer_without_evidence=Mean.of(question_mean(after, right)),
        abstained_without_evidence=Mean.of(question_mean(after, abstained)),
        gap=Mean.of(clustered_mean(gaps)),
        visual_hallucination_rate=Mean.of(clustered_mean(told)),
    )
