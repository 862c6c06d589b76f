"""What OpenRLHF gets of an episode of a graph with several conversations: each row exactly, sharing one reward."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agent.encoder import Encoder
from rl.config import ROOT, Config, dump
from rl.tasks.task import Task
from rl.trajectories.check import RefusedError
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import answers
from tests.rl.training.trainers.openrlhf.conftest import Engine, Params
from tools.images.store import ImageStore

Gallery = tuple[ImageStore, list[Task]]


FLAGS = {"algo.advantage.estimator": "dr_grpo", "train.batch_size": 8, "rollout.micro_batch_size": 1}


def configure(run: Path, **sections: Any) -> None:
    """Another configuration in the run's folder, before its executor is made."""
    rl = {
        "prompts_per_step": 1,
        "samples_per_prompt": 2,
        "rewards": {"answer": 1.0},
        "openrlhf": FLAGS,
        **sections.pop("rl", {}),
    }
    graph = f"{ROOT}/examples/debate.py:factory"
    (run / "config.yaml").write_text(dump(Config.model_validate({"name": "t", "graph": graph, "rl": rl, **sections})))


def group(executor: Any, task: Task, engine: Engine) -> list[dict[str, Any]]:
    """The two samples of a task, as OpenRLHF's rollout actor gathers them."""

    async def gathered() -> list[dict[str, Any]]:
        label = json.dumps({"place": 0, "task": task.to_plain()})
        return await asyncio.gather(
            *(executor.execute(task.question, label, Params(), 512, None, engine) for _ in range(2))
        )

    return asyncio.run(gathered())


def test_a_debate_is_three_rows(run: Path, encoder: Encoder, gallery: Gallery, request: Any) -> None:
    configure(run)
    task = gallery[1][0]
    engine = Engine(answers(task.answer), encoder)
    got = group(request.getfixturevalue("executor"), task, engine)
    assert engine.asked == 10  # two sides twice and a judge, in each of two samples
    said = f"{answers(task.answer)[0]}<|im_end|>"
    for each in got:
        assert (each["reward"], each["scores"], len(each["further"])) == (1.0, 1.0, 2)
        rows = [each, *each["further"]]
        turns = [[encoder.decode(row["observation_tokens"][a:b]) for a, b in row["action_ranges"]] for row in rows]
        assert sorted(turns) == [[said], [said, said], [said, said]]
        assert [row["mm_train_inputs"]["image_grid_thw"].tolist() for row in rows] == [[[1, 8, 8]]] * 3
        for row in rows:
            trained = sum(b - a for a, b in row["action_ranges"])
            assert sum(value != 0 for value in row["rollout_log_probs"]) == trained
            assert len(row["rollout_log_probs"]) == len(row["observation_tokens"])
        assert each["extra_logs"]["turns"] == 5.0
    stored = list(TrajectoryStore(run / "trajectories" / "rl"))
    assert [len(each.rows) for each in stored] == [3, 3]
    assert all(each.versions == ["step-00000"] for each in stored)


def test_only_the_chosen_node_trains(run: Path, encoder: Encoder, gallery: Gallery, request: Any) -> None:
    configure(run, rl={"trained_calls": {"nodes": ["judge"]}})
    got = group(request.getfixturevalue("executor"), gallery[1][0], Engine(answers("solid"), encoder))
    assert ["further" in each for each in got] == [False, False]
    assert [len(each["action_ranges"]) for each in got] == [1, 1]


def test_an_episode_that_trains_nothing_goes_with_its_reward(
    run: Path, encoder: Encoder, gallery: Gallery, request: Any
) -> None:
    configure(run, rl={"trained_calls": {"nodes": ["nobody"]}})
    task = gallery[1][0]
    got = group(request.getfixturevalue("executor"), task, Engine(answers(task.answer), encoder))
    assert [(each["action_ranges"], each["reward"], each["truncated"]) for each in got] == [([], 1.0, False)] * 2


def test_a_miscounted_prompt_refuses_the_whole_episode(
    run: Path, encoder: Encoder, gallery: Gallery, request: Any
) -> None:
    configure(run)
    with pytest.raises(RefusedError, match=r"3 trajectories of .* were refused in a row"):
        group(request.getfixturevalue("executor"), gallery[1][0], Engine(answers("solid"), encoder, miscounted=1))
    assert "holds" in (run / "trajectories" / "refused.jsonl").read_text()
