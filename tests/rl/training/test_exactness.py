"""Exactness: trajectories sampled id by id with transformers agree with their replay; misaligned ones do not."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from PIL import Image

from agent.encoder import Encoder
from agent.policies.policy import Completion, Sampling
from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.training.exactness import Replay, compare
from rl.trajectories.check import TrainingRow
from rl.trajectories.record import Trajectory, record
from tests.rl.scripts import looks
from tools.images.store import ImageStore

EPISODE = {"turns": 2, "turn_tokens": 30}


class TransformersPolicy:
    """Writes a turn if it is given one, then its own greedy ones, one forward pass for each id."""

    def __init__(self, model: Any, encoder: Encoder, first: str | None = None) -> None:
        self.model, self.encoder, self.first = model, encoder, first

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image.Image], sampling: Sampling) -> Completion:
        text = self.encoder.decode(token_ids)
        seen = self.encoder.mm_inputs(images)
        prompt, _ = self.encoder.encode(text, [self.encoder.grid(image) for image in images])
        forced = self.encoder.encode(self.first + "<|im_end|>")[0] if self.first and len(images) == 1 else []
        ids, logprobs = [*prompt], []
        while len(ids) - len(prompt) < (len(forced) or sampling.max_tokens):
            scores = self._next(ids, seen, sampling.banned)
            token = forced[len(ids) - len(prompt)] if forced else int(scores.argmax())
            ids.append(token)
            logprobs.append(float(scores[token]))
            if token == self.encoder.end_of_turn:
                break
        said = tuple(ids[len(prompt) :])
        finish = "stop" if said[-1] == self.encoder.end_of_turn else "length"
        return Completion(said, tuple(logprobs), finish, ("tiny",), len(prompt))

    def _next(self, ids: list[int], seen: dict[str, Any], banned: Sequence[int]) -> torch.Tensor:
        with torch.no_grad():
            row = torch.tensor([ids])
            logits = self.model(input_ids=row, **self.encoder.forward_inputs(row, seen)).logits[0, -1]
        logits[list(banned)] = -torch.inf
        return torch.log_softmax(logits, dim=-1)


@pytest.fixture(scope="module")
def sharp(processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model whose next token is far from evenly distributed."""
    from rl.toy.model import build_model

    model = build_model(processor.tokenizer, seed=3)
    with torch.no_grad():
        model.lm_head.weight.mul_(2)
    folder = tmp_path_factory.mktemp("sharp")
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def sampled(
    sharp: Path, encoder: Encoder, gallery: tuple[ImageStore, list[Task]], parts_of: Callable[..., RunParts]
) -> Callable[..., tuple[Trajectory, RunParts]]:
    """Samples one episode of a task, its first turn forced if there is one."""
    from transformers import AutoModelForImageTextToText

    model: Any = AutoModelForImageTextToText.from_pretrained(sharp, dtype=torch.float32).eval()

    def made(task: Task, first: str | None = None) -> tuple[Trajectory, RunParts]:
        parts = parts_of(gallery[0], episode=EPISODE)
        state = asyncio.run(parts.ask(task, parts.episode(TransformersPolicy(model, encoder, first))))
        return record("t", "test", task, state, {"answer": 0.0}, 0.0, 0.0), parts

    return made


def test_an_episodes_own_weights_agree(
    sharp: Path, sampled: Callable[..., Any], gallery: tuple[ImageStore, list[Task]]
) -> None:
    trajectory, parts = sampled(gallery[1][0])
    agreement = compare(sharp, [trajectory], parts)
    assert (agreement.trajectories, agreement.not_greedy) == (1, 0)
    assert agreement.most < 1e-4 and agreement.mean <= agreement.most
    assert 1e-4 < agreement.trainer_mean < 0.05  # random weights give banned ids a share too


def test_images_that_appear_in_mid_episode_agree(
    sharp: Path, sampled: Callable[..., Any], gallery: tuple[ImageStore, list[Task]]
) -> None:
    task = next(task for task in gallery[1] if task.kind == "compare")
    trajectory, parts = sampled(task, looks(task)[0])
    assert len(trajectory.images) == 3
    agreement = compare(sharp, [trajectory], parts)
    assert agreement.most < 1e-4
    assert agreement.not_greedy == 1  # the first turn was not this policy's own


def shifted(trajectory: Trajectory) -> Trajectory:
    """Every sampled range one id further to the left."""
    (row,) = trajectory.rows
    sampled = [[turn[0] - 1, turn[1] - 1, *turn[2:]] for turn in row["sampled"]]
    return replace(trajectory, rows=[{**row, "sampled": sampled}])


def other_pixels(trajectory: Trajectory, image: str) -> Trajectory:
    """The same grid, another picture."""
    (row,) = trajectory.rows
    first, *rest = row["images"]
    return replace(trajectory, rows=[{**row, "images": [[image, *first[1:]], *rest]}])


def test_a_shifted_mask_and_other_pixels_show(
    sharp: Path, sampled: Callable[..., Any], gallery: tuple[ImageStore, list[Task]]
) -> None:
    trajectory, parts = sampled(gallery[1][0])
    mask = compare(sharp, [shifted(trajectory)], parts)
    assert mask.mean > 0.02 and mask.not_greedy == 1  # the bound that a run must keep
    pixels = compare(sharp, [other_pixels(trajectory, gallery[1][1].images[0])], parts)
    assert pixels.most > 0.01


def test_without_trajectories_nothing_is_known(sharp: Path, parts_of: Callable[..., RunParts], store: Any) -> None:
    agreement = compare(sharp, [], parts_of(store))
    assert agreement.trajectories == agreement.not_greedy == 0
    assert agreement.mean != agreement.mean  # NaN


def test_temperature_and_ids_that_are_never_sampled_by_hand() -> None:
    replay = Replay.__new__(Replay)
    scores = torch.tensor([[[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]]).log()
    replay.model = lambda **_: SimpleNamespace(logits=scores.clone())
    family = SimpleNamespace(banned=(2,), forward_inputs=lambda ids, mm: mm)
    replay.encoder, replay.temperature = cast(Any, family), 0.5
    sampled = TrainingRow([0, 0], [0, 1], [0.0, math.log(0.8)], {})  # squares 0.36, 0.09 and, banned, 0.01
    found = replay.differences(sampled)
    assert found.differences == pytest.approx([0], abs=1e-6)
    assert found.trainer == pytest.approx([math.log(0.46 / 0.45)], rel=1e-4)
    assert found.greedy
