"""Leaks between splits: exact ones, re-encoded ones, and none where pictures merely are of one kind."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from rl.tasks.leaks import difference_hash, leaks, report
from rl.tasks.task import Task
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.store import ImageStore


def scene(seed: int) -> MedicalImage:
    """Smooth structure of 96 x 96 pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9), dtype=np.uint8)
    return MedicalImage(np.asarray(Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC)))


def re_encoded(image: MedicalImage, side: int) -> MedicalImage:
    file = io.BytesIO()
    image.display().resize((side, side)).save(file, format="jpeg", quality=70)
    return load_image(file.getvalue())


def asked(store: ImageStore, *images: MedicalImage) -> list[Task]:
    return [Task(f"t/{image.id}", "name", "?", (store.put(image),), "a", "exact") for image in images]


def test_exact_and_near_duplicates_are_told_apart(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    splits = {
        "train": asked(store, scene(1), scene(2), scene(3)),
        "validation": asked(store, scene(4)),
        "test": asked(store, scene(1), re_encoded(scene(2), 64), scene(5)),
    }
    found = leaks(splits, store)
    assert [(leak.splits, leak.exact) for leak in found] == [(("train", "test"), True), (("train", "test"), False)]
    assert found[1].images == (splits["train"][1].images[0], splits["test"][1].images[0]) and found[1].bits <= 3
    assert "train and test: 1 of the 3 images of test are in train exactly, 1 more nearly" in report(splits, found)
    assert "train and validation: 0 of the 1 images" in report(splits, found)


def test_a_difference_hash_worked_by_hand() -> None:
    rising = np.tile(np.arange(9, dtype=np.uint8) * 20, (8, 1))
    assert difference_hash(Image.fromarray(rising)) == 2**64 - 1
    assert difference_hash(Image.fromarray(rising[:, ::-1].copy())) == 0
    one_step = np.zeros((8, 9), np.uint8)
    one_step[:, 1:] = 200
    assert difference_hash(Image.fromarray(one_step)) == int("80" * 8, 16)  # each row: brighter once, at its start


def test_pictures_without_structure_are_compared_exactly_only(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    flat = [MedicalImage(np.full((20, 20), grey, np.uint8)) for grey in (10, 20)]
    assert leaks({"train": asked(store, flat[0]), "test": asked(store, flat[1])}, store) == []
    assert len(leaks({"train": asked(store, flat[0]), "test": asked(store, flat[0])}, store)) == 1
