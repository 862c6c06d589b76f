"""The reference trainer: what a step does to the weights, what it resumes from, what it refuses."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.chat.families.family import Family
from agent.chat.record.ledger import Ledger
from rl.config import LAPTOP, load_config
from rl.training.exactness import compare
from rl.training.run import Stages
from rl.training.trainers.reference import Learner, Reference
from rl.training.trainers.trainer import TrainingJob, TrainingSample
from rl.trajectories.check import training_row
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import answers, looks

Learn = Callable[..., Learner]
CONFIG = ["rl.trainer=reference", "rl.learning_rate=0.001"]


@pytest.fixture
async def samples(gallery: Any, parts_of: Any, play: Any, encoder: Family) -> list[TrainingSample]:
    """Three rows of different lengths, with pictures."""
    store, tasks = gallery
    parts, made = parts_of(store), []
    for task, script, advantage in ((tasks[0], looks, 1.0), (tasks[1], looks, -0.5), (tasks[2], None, 0.5)):
        said = script(task) if script else answers(task.answer)
        trajectory = await play(parts, task, said)
        row = training_row(Ledger.from_plain(trajectory.rows[0]), encoder, store, scored=False)
        made.append(TrainingSample(row.ids, row.mask, row.logprobs, row.mm, [advantage] * len(row.ids), task.id, "1"))
    return made


@pytest.fixture
def learner(random_checkpoint: Path, encoder: Family) -> Learn:
    """A learner with these options."""

    def made(start: Path = random_checkpoint, **options: Any) -> Learner:
        config = load_config(LAPTOP, CONFIG)
        rl = config.rl.model_copy(update={"trainer_options": {"importance": None, **options}})
        return Learner(start, encoder, config.model_copy(update={"rl": rl}))

    return made


def weights(learner: Learner) -> dict[str, Any]:
    return {name: each.clone() for name, each in learner.model.state_dict().items()}


def likelihood(learner: Learner, sample: TrainingSample) -> float:
    (values,) = learner.before([sample])
    return float((values[0] * torch.tensor(sample.mask[1:])).sum())


@pytest.mark.parametrize("advantage", [1.0, -1.0])
def test_what_earned_more_becomes_likelier(learner: Learn, samples: list[TrainingSample], advantage: float) -> None:
    learns, sample = learner(), replace(samples[0], advantage=[advantage] * len(samples[0].ids))
    before, start = likelihood(learns, sample), weights(learns)
    learns.step([sample])
    assert (likelihood(learns, sample) > before) == (advantage > 0)
    moved = {name for name, value in weights(learns).items() if not torch.equal(value, start[name])}
    assert moved and all("language_model" in name or "lm_head" in name for name in moved)  # it sees as it did


def test_what_earned_nothing_moves_nothing(learner: Learn, samples: list[TrainingSample]) -> None:
    learns = learner()
    start = weights(learns)
    learns.step([replace(each, advantage=[0.0] * len(each.ids)) for each in samples])
    assert all(torch.equal(value, start[name]) for name, value in weights(learns).items())


def test_micro_batches_change_nothing_but_memory(learner: Learn, samples: list[TrainingSample]) -> None:
    # eps: near 0 Adam's first step is the sign of a gradient, also of one that is only rounding
    one, three = learner(micro_batch=1, eps=1e-3), learner(micro_batch=3, eps=1e-3)
    for each in (one, three):
        each.step(samples)
    others = weights(three)
    assert max(float((value - others[name]).abs().max()) for name, value in weights(one).items()) < 1e-6


def test_what_was_saved_goes_on_as_if_nothing_had_been(
    learner: Learn, samples: list[TrainingSample], tmp_path: Path
) -> None:
    whole, first = learner(warmup_steps=3), learner(warmup_steps=3)
    for _ in range(3):
        whole.step(samples)
    for _ in range(2):
        first.step(samples)
    first.save(tmp_path / "saved")
    second = learner(tmp_path / "saved", warmup_steps=3)
    second.step(samples)
    expected = weights(whole)
    assert all(torch.equal(value, expected[name]) for name, value in weights(second).items())


@pytest.mark.parametrize(
    ("overrides", "setting", "said"),
    [
        (["rl.trainer_options={epoch: 2}"], "rl.trainer_options.epoch", "Extra inputs are not permitted"),
        (["rl.trainer_options={epochs: 0}"], "rl.trainer_options.epochs", "greater than or equal to 1"),
        (["rl.trainer_options={algorithm: gae}"], "rl.trainer_options.algorithm", "expected one of dr_grpo"),
        (["device=gpu"], "device", "trains on a CPU"),
        (["rl.samples_per_prompt=1"], "rl.samples_per_prompt", "expected at least 2"),
    ],
)
def test_what_it_cannot_do_is_told(overrides: list[str], setting: str, said: str) -> None:
    (found,) = Reference().findings(load_config(LAPTOP, [*CONFIG, *overrides]))
    assert found.setting == setting and said in found.said and found.stops


def test_it_takes_the_shipped_configuration() -> None:
    assert not list(Reference().findings(load_config(LAPTOP, CONFIG)))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_trains_on_its_own_server_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    """One step, then another by a second call: it goes on from the first's weights, which sample for it."""
    run, small = tmp_path / "run", ["rl.prompts_per_step=2", "rl.samples_per_prompt=4", "rl.save_steps=1"]
    config = load_config(LAPTOP, [*CONFIG, *small, "rl.steps=2", "warmup.enabled=false", "tasks.train=4"])
    stages = Stages.open(run, config, resume=False)
    asyncio.run(stages.base())
    asyncio.run(stages.warm_up())
    tasks, start, trainer = stages.tasks("train"), run / "checkpoints" / "warmup", Reference()
    once = config.model_copy(update={"rl": config.rl.model_copy(update={"steps": 1})})
    asyncio.run(trainer.train(TrainingJob(run, once, start, tasks)))
    assert set(trainer.saved(run)) == {1}
    asyncio.run(trainer.train(TrainingJob(run, config, start, tasks)))
    assert set(trainer.saved(run)) == {1, 2} and trainer.final(run) == trainer.saved(run)[2]
    kept = list(TrajectoryStore(run / "trajectories" / "rl"))
    versions = sorted((each.step, *each.versions) for each in kept)
    assert versions == [(0, "step-00000")] * 8 + [(1, "step-00001")] * 8
    for step, folder in ((0, start), (1, trainer.saved(run)[1])):  # each was sampled by the weights it is named after
        agreement = compare(folder, [each for each in kept if each.step == step], stages.parts(), config.rl.temperature)
        assert agreement.mean < 1e-5
    asyncio.run(trainer.train(TrainingJob(run, config, start, tasks)))  # nothing is left to do
    assert len(list(TrajectoryStore(run / "trajectories" / "rl"))) == 16
