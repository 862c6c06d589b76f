"""Erasing the evidence: what was there is gone, the rest is untouched, and nothing tells where it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.evaluation.counterfactual import ERASED, counterfactual, erase, pairs
from rl.evaluation.schema import Mean
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

BOX = (50.0, 60.0, 70.0, 80.0)
HOLE = (slice(55, 85), slice(45, 75))
"""The box with a quarter of its sides around it."""


def scan(dtype: Any, scale: float = 1.0, channels: int = 0) -> MedicalImage:
    """Noise of mean 100 and deviation 10 (times `scale`), with a bright square in BOX."""
    shape = (128, 128, channels) if channels else (128, 128)
    pixels = np.random.default_rng(0).normal(100, 10, shape)
    pixels[60:80, 50:70] = 240
    return MedicalImage((pixels * scale).astype(dtype), spacing=(0.5, 0.25), window=(120.0 * scale, 200.0 * abs(scale)))


@pytest.mark.parametrize(
    ("dtype", "scale", "channels"),
    [(np.uint8, 1.0, 0), (np.uint8, 1.0, 3), (np.uint16, 100.0, 0), (np.int16, -5.0, 0), (np.float32, 0.01, 0)],
)
def test_what_was_there_is_gone_and_the_rest_untouched(dtype: Any, scale: float, channels: int) -> None:
    image = scan(dtype, scale, channels)
    made = erase(image, [BOX])
    assert (made.pixels.dtype, made.pixels.shape, made.spacing, made.window) == (
        image.pixels.dtype,
        image.pixels.shape,
        image.spacing,
        image.window,
    )
    outside = np.ones((128, 128), bool)
    outside[HOLE] = False
    assert np.array_equal(made.pixels[outside], image.pixels[outside])
    inside = made.pixels[HOLE].astype(float) / scale
    assert 90 < inside.mean() < 110 and inside.max() < 180  # the square was 240
    assert 4 < inside.std() < 16  # its surroundings' grain, not a smooth patch
    assert made.id != image.id and made.provenance is None and made.id == erase(image, [BOX]).id


def test_a_twin_keeps_the_question_and_the_old_answer(store: ImageStore) -> None:
    seen, other = store.put(scan(np.uint8)), store.put(scan(np.uint8, 0.5))
    task = Task("set/1", "k", "What?", (other, seen), "cystic", "exact", True, ((2, BOX),))
    ((asked, twin),) = pairs([task], store)
    assert asked is task
    assert (twin.id, twin.question, twin.answer, twin.kind, twin.regions) == (
        "set/1" + ERASED,
        "What?",
        "cystic",
        "k",
        (),
    )
    assert twin.images[0] == other and twin.images[1] != seen
    assert store.get(twin.images[1]).pixels[70, 60] < 180


def test_what_has_no_evidence_in_a_place_has_no_twin(store: ImageStore, tmp_path: Path) -> None:
    image = store.put(scan(np.uint8))
    nowhere = Task("set/1", "k", "?", (image,), "a", "exact")
    everywhere = Task("set/2", "k", "?", (image,), "a", "exact", None, ((1, (0.0, 0.0, 128.0, 100.0)),))
    assert list(pairs([nowhere, everywhere], store)) == []


def test_phantoms_lose_their_lesions(gallery: tuple[ImageStore, list[Task]]) -> None:
    for task, twin in pairs(gallery[1], gallery[0]):
        before, after = (gallery[0].get(each.images[0]).pixels.astype(float) for each in (task, twin))
        for _, (x1, y1, x2, y2) in task.regions:
            centre = (slice(int(y1) + 5, int(y2) - 4), slice(int(x1) + 5, int(x2) - 4))
            around = after[int(y1) - 12 : int(y2) + 12, int(x1) - 12 : int(x2) + 12]
            assert abs(after[centre].mean() - around.mean()) < 12 < abs(before[centre].mean() - around.mean())


def test_visual_hallucination(episode: Callable[..., Trajectory]) -> None:
    asked = [
        episode("a/1", True, image="1"),
        episode("a/2", True, image="2"),
        episode("a/3", True, image="3"),
        episode("a/4", False, image="4"),
        episode("a/5", True, image="5"),  # has no twin
    ]
    erased = [
        episode(f"a/1{ERASED}", True, image="1e"),  # says the old answer without seeing anything
        episode(f"a/2{ERASED}", None, image="2e"),
        episode(f"a/3{ERASED}", False, image="3e"),
        episode(f"a/4{ERASED}", False, image="4e"),
    ]
    found = counterfactual(asked, erased)
    assert (found.pairs, found.visual_hallucination_rate.n) == (4, 3)
    assert found.visual_hallucination_rate.mean == pytest.approx(1 / 3)
    assert found.accuracy_with_evidence.mean == 0.75 and found.old_answer_without_evidence.mean == 0.25
    assert found.gap.mean == 0.5 and found.abstained_without_evidence.mean == 0.25


def test_samples_are_paired_with_their_own_twins(episode: Callable[..., Trajectory]) -> None:
    asked = [episode("a/1", right, sample=place) for place, right in enumerate([True, False])]
    erased = [episode(f"a/1{ERASED}", right, sample=place) for place, right in enumerate([False, True])]
    found = counterfactual(asked, erased)
    assert found.visual_hallucination_rate == Mean(mean=0.0, ci95=(0.0, 0.0), n=1)
