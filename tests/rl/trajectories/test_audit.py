"""Reading a stage back costs what its images cost, not what its rows do."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.chat.families.medvista import MedVista
from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.trajectories.__main__ import main
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import looks
from tools.images.store import ImageStore


async def test_an_image_is_read_once_and_the_processor_run_once_for_a_size(
    tmp_path: Path,
    gallery: tuple[ImageStore, list[Task]],
    processor: Any,
    parts_of: Callable[..., RunParts],
    play: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "images").symlink_to(gallery[0].folder)
    processor.save_pretrained(tmp_path / "checkpoints" / "base")
    parts = parts_of(gallery[0])
    made = [await play(parts, task, looks(task)) for task in gallery[1]]
    with TrajectoryStore(tmp_path / "trajectories" / "rl") as kept:
        for number in range(60):
            kept.add(replace(made[number % len(made)], id=str(number)))
    images = {image for each in made for image in each.images}
    sizes = {(image.width, image.height) for image in map(gallery[0].get, images)}

    read, processed = list[str](), list[Any]()
    get, cut = ImageStore.get, MedVista.mm_inputs
    monkeypatch.setattr(ImageStore, "get", lambda self, image: (read.append(image), get(self, image))[1])
    monkeypatch.setattr(MedVista, "mm_inputs", lambda self, images: (processed.extend(images), cut(self, images))[1])
    assert main(["check", str(tmp_path), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["episodes"], found["refused"]) == (60, 0)
    assert sorted(read) == sorted(images)
    assert len(processed) == len(sizes) < len(images)


async def test_a_grid_that_the_image_does_not_have_is_still_found(
    tmp_path: Path,
    gallery: tuple[ImageStore, list[Task]],
    processor: Any,
    parts_of: Callable[..., RunParts],
    play: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "images").symlink_to(gallery[0].folder)
    processor.save_pretrained(tmp_path / "checkpoints" / "base")
    sound = await play(parts_of(gallery[0]), gallery[1][0], looks(gallery[1][0]))
    image, start, length, (frames, rows, columns) = sound.rows[0]["images"][0]
    other = [image, start, length, [frames, rows * 2, columns // 2]]  # as many placeholders, another shape
    wrong = replace(sound, id="wrong", rows=[{**sound.rows[0], "images": [other, *sound.rows[0]["images"][1:]]}])
    with TrajectoryStore(tmp_path / "trajectories" / "rl") as kept:
        kept.add(sound)
        kept.add(wrong)
    assert main(["check", str(tmp_path), "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    (fault,) = found["faults"]
    assert fault.startswith(
        f"wrong: Trajectory refused: the pixels of image {image[:12]} have grid ({frames}, {rows}, {columns}),"
    )
