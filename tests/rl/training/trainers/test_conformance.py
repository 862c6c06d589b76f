"""OpenRLHF takes the same step as the reference trainer: the same rows and the same start, the same weights after it.

How near: a weight of about 1 is a float32 to 1.2e-7, and gradients are summed in another order (OpenRLHF shuffles the
rows of a batch), which moves them by some 1e-7 of their size. Adam's first step is `rate * g / (|g| + eps)`, so the
rounding of g moves a weight by at most `rate / eps` times as much. With eps=1e-4 that is 10 times; with Adam's own 1e-8
a gradient that is nothing but rounding would be a whole step, in either direction, in both trainers alike. Measured at
`max_norm` 1: 1.2e-7 at most, one unit in the last place, and 3e-9 on average, after steps of up to 1e-3. (Where the
gradient is longer than `max_norm`, dr_grpo and rloo are one: they differ by a factor. So it is 100 here.)
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from agent.chat.families.family import Family
from agent.chat.record.ledger import Ledger
from agent.policies.scripted import ScriptedPolicy
from rl.config import LAPTOP, Config, load_config
from rl.rollout.run_parts import open_parts
from rl.tasks.task import Task
from rl.training.algorithms.algorithm import RewardedEpisode, SampledRow, find_algorithm, per_token
from rl.training.trainers.openrlhf.command import arguments, environment, flags
from rl.training.trainers.reference import Learner
from rl.training.trainers.trainer import TrainingSample
from rl.trajectories.check import TrainingRow, training_row
from tests.rl.scripts import answers, looks
from tools.images.store import ImageStore

CHILD = Path(__file__).parent / "openrlhf" / "openrlhf_step.py"
SIZE = 4
ROWS = (1, 2, 1, 1, 3, 1, 2, 1)
"""Of each episode of two groups of four: twelve, in three micro-batches."""
REWARDS = (1.0, 0.0, 0.5, 2.0, 0.3, 1.3, -0.2, 0.9)
RATE = 1e-3
SHARED: dict[str, Any] = {
    "rl.samples_per_prompt": SIZE,
    "rl.prompts_per_step": len(ROWS) // SIZE,
    "rl.learning_rate": RATE,
    "rl.openrlhf.train.batch_size": sum(ROWS),
    "rl.openrlhf.train.micro_batch_size": 4,
    "rl.openrlhf.rollout.micro_batch_size": 4,
    "rl.openrlhf.actor.lr_warmup_ratio": 0.0,
    "rl.openrlhf.actor.adam.eps": 1e-4,
    "rl.openrlhf.actor.max_norm": 100.0,
}
NEAR = 5e-7
"""Of a weight, where a step is up to RATE."""
STEPS = 4
"""Of the optimizer in the whole training, by which OpenRLHF's warm-up is measured."""


@dataclass(frozen=True)
class Case:
    """One training step, as either trainer is asked for it."""

    estimator: str = "dr_grpo"
    openrlhf: dict[str, Any] = field(default_factory=dict[str, Any])
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    temperature: float = 1.0
    moved: bool = True
    """Whether the log-probabilities before the step are not those of the start, so that the clip cuts at once."""

    @property
    def config(self) -> Config:
        """For both trainers."""
        named = {"algo.advantage.estimator": self.estimator, **self.openrlhf}
        options = {"algorithm": self.estimator, "micro_batch": 4, "eps": 1e-4, "max_norm": 100.0, **self.options}
        overrides = {**SHARED, "rl.temperature": self.temperature, "rl.trainer_options": options}
        overrides |= {f"rl.openrlhf.{name}": value for name, value in named.items()}
        return load_config(LAPTOP, [f"{name}={json.dumps(value)}" for name, value in overrides.items()])


CASES = {
    "dr_grpo": Case("dr_grpo"),
    "group_norm": Case("group_norm"),
    "rloo": Case("rloo"),
    "uncorrected": Case(openrlhf={"algo.advantage.is_correction_level": "off"}, options={"importance": None}),
    "cooler": Case(temperature=0.7),
    "unclipped": Case(openrlhf={"actor.eps_clip_low_high": [0.9, 9.0]}, options={"clip": [0.9, 9.0]}),
    "bounded gradient": Case(openrlhf={"actor.max_norm": 0.1}, options={"max_norm": 0.1}),
    "two epochs": Case(openrlhf={"train.max_epochs": 2}, options={"epochs": 2}, moved=False),
    "warm-up": Case(
        openrlhf={"actor.lr_warmup_ratio": 0.5, "train.max_epochs": 2}, options={"warmup_steps": 2, "epochs": 2}
    ),
}


@dataclass(frozen=True)
class Stepped:
    """The weights by name before a case's step and after it, by OpenRLHF and by the reference, and the advantages of
    each row [L - 1] by both."""

    start: dict[str, Any]
    theirs: dict[str, Any]
    ours: dict[str, Any]
    their_advantages: list[Any]
    our_advantages: list[Any]


@pytest.fixture(scope="module")
def rows(gallery: tuple[ImageStore, list[Task]], encoder: Family) -> list[TrainingRow]:
    """Twelve rows with pictures, of several lengths, one to three of them in each."""
    store, tasks = gallery
    parts = open_parts(Config(name="test"), encoder, store)

    async def row(number: int) -> TrainingRow:
        task = tasks[number % len(tasks)]
        script = looks(task) if number % 3 else answers(task.answer)
        state = await parts.ask(task, parts.episode(ScriptedPolicy(script, encoder)))
        return training_row(Ledger.from_plain(state["rows"][0]), encoder, store, scored=False)

    async def all_rows() -> list[TrainingRow]:
        return [await row(number) for number in range(sum(ROWS))]

    return asyncio.run(all_rows())


def noise(row: TrainingRow, most: float, seed: int) -> list[float]:
    """For each sampled id up to `most` more or less."""
    drawn = torch.rand(len(row.ids), generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return (drawn * most * torch.tensor(row.mask)).tolist()


def engines_own(learner: Learner, rows: Sequence[TrainingRow]) -> list[TrainingRow]:
    """The rows with log-probabilities of an engine that differs, so that some importance weights lie out of bounds."""
    plain = [TrainingSample(each.ids, each.mask, each.logprobs, each.mm, [], "", "") for each in rows]
    start = [row for batch in learner.before(plain) for row in batch]
    given: list[TrainingRow] = []
    for number, (row, values) in enumerate(zip(rows, start, strict=True)):
        mask, by = torch.tensor(row.mask[1:]), torch.tensor(noise(row, 1.8, number)[1:])
        given.append(replace(row, logprobs=[0.0, *(values[: len(mask)] * mask + by).tolist()]))
    return given


def calls_of(row: TrainingRow) -> tuple[tuple[int, int], ...]:
    edges = [at for at in range(1, len(row.ids) + 1) if (row.mask[at] if at < len(row.ids) else 0) != row.mask[at - 1]]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def samples_of(case: Case, episodes: Sequence[Sequence[TrainingRow]]) -> list[TrainingSample]:
    """The rows with the advantages of their episodes."""
    shapes = [tuple(SampledRow(len(row.ids), calls_of(row)) for row in rows) for rows in episodes]
    rewarded = [RewardedEpisode(*each) for each in zip(REWARDS, shapes, strict=True)]
    estimator = find_algorithm(case.estimator).advantages
    given = [each for at in range(0, len(rewarded), SIZE) for each in estimator(rewarded[at : at + SIZE])]
    return [
        TrainingSample(
            row.ids, row.mask, row.logprobs, row.mm, per_token(value, shape), str(number // SIZE), str(number)
        )
        for number, (rows, outlines, values) in enumerate(zip(episodes, shapes, given, strict=True))
        for row, shape, value in zip(rows, outlines, values, strict=True)
    ]


@pytest.fixture(scope="module")
def stepped(
    rows: list[TrainingRow], encoder: Family, random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Stepped]:
    """Every case's step by both."""
    folder = tmp_path_factory.mktemp("steps")
    asked: list[dict[str, Any]] = []
    ours: list[tuple[dict[str, Any], list[Any]]] = []
    for case in CASES.values():
        learner = Learner(random_checkpoint, encoder, case.config)
        sampled = engines_own(learner, rows)
        moved = [noise(row, 0.5 * case.moved, 100 + number) for number, row in enumerate(rows)]
        at = iter(zip(sampled, moved, strict=True))
        episodes = [[next(at) for _ in range(count)] for count in ROWS]
        asked.append(
            {
                "line": arguments(flags(case.config, folder, random_checkpoint, folder / "none.jsonl", False)),
                "start": str(random_checkpoint),
                "steps": STEPS,
                "episodes": [
                    {
                        "reward": reward,
                        "rows": [
                            {
                                "ids": row.ids,
                                "ranges": calls_of(row),
                                "logprobs": row.logprobs,
                                "mm": row.mm,
                                "moved": by,
                            }
                            for row, by in episode
                        ],
                    }
                    for reward, episode in zip(REWARDS, episodes, strict=True)
                ],
            }
        )
        samples = samples_of(case, [[row for row, _ in episode] for episode in episodes])
        before = learner.before(samples)
        by = iter(moved)
        for batch in before:
            for row in batch:
                more = torch.tensor(next(by)[1:])
                row[: len(more)] += more
        learner.update(samples, before)
        ours.append((learner.model.state_dict(), [torch.tensor(each.advantage[1:]) for each in samples]))
    torch.save(asked, folder / "cases.pt")
    done = subprocess.run(
        [sys.executable, str(CHILD), str(folder)],
        env=environment(next(iter(CASES.values())).config, folder, folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    start = Learner(random_checkpoint, encoder, Case().config).model.state_dict()
    return {
        name: Stepped(
            start, load_file(folder / f"{n}.safetensors"), weights, torch.load(folder / f"{n}.pt"), advantages
        )
        for n, (name, (weights, advantages)) in enumerate(zip(CASES, ours, strict=True))
    }


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", CASES)
def test_the_weights_after_a_step_are_the_same(stepped: dict[str, Stepped], name: str) -> None:
    case = stepped[name]
    for theirs, ours in zip(case.their_advantages, case.our_advantages, strict=True):
        assert theirs.tolist() == pytest.approx(ours.tolist(), abs=1e-6)
    moved = {name for name, value in case.ours.items() if not torch.equal(value, case.start[name])}
    assert moved == {name for name, value in case.theirs.items() if not torch.equal(value, case.start[name])}
    assert moved and not any("visual" in name for name in moved)
    differ = torch.cat([(case.theirs[name] - case.ours[name]).abs().flatten() for name in moved])
    steps = torch.cat([(case.ours[name] - case.start[name]).abs().flatten() for name in moved])
    assert float(steps.max()) > RATE / 4
    assert float(differ.max()) < NEAR


@pytest.mark.slow
@pytest.mark.parametrize("one", ["dr_grpo", "two epochs"])
def test_each_case_is_a_step_of_its_own(stepped: dict[str, Stepped], one: str) -> None:
    """What the cases differ in matters: none is as near to another as the two trainers are to each other."""
    for name, case in stepped.items():
        if name != one:
            others = stepped[one].ours
            assert max(float((value - others[at]).abs().max()) for at, value in case.ours.items()) > 10 * NEAR
