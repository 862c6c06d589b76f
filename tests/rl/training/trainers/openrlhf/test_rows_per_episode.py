"""Episodes of several rows in OpenRLHF's own classes: what trains, with which advantage; worked by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.serving import confined
from agent.serving.server_command import CPU_ADAPTATION as SERVING_ADAPTATION
from rl.config import ROOT
from rl.training.trainers.openrlhf.command import CPU_ADAPTATION

# two prompts of two episodes: of three, one, two and one rows; a row is (ids, first trained id, end)
EPISODES = [
    {"reward": 1.0, "rows": [[6, 2, 4], [8, 5, 8], [5, 4, 5]]},
    {"reward": 0.0, "rows": [[6, 3, 6]]},
    {"reward": 2.0, "rows": [[9, 2, 5], [7, 3, 7]]},
    {"reward": 4.0, "rows": [[4, 2, 4]]},
]
IDLE = {"reward": 9.0, "rows": [[5, 0, 0]]}
CASES: dict[str, Any] = {
    "dr_grpo": {"args": {}, "episodes": EPISODES},
    "rloo": {"args": {"algo.advantage.estimator": "rloo"}, "episodes": EPISODES},
    "group_norm": {"args": {"algo.advantage.estimator": "group_norm"}, "episodes": EPISODES},
    "one row each": {"args": {}, "episodes": [{**each, "rows": each["rows"][:1]} for each in EPISODES]},
    "idle ones count": {"args": {}, "episodes": [EPISODES[0], IDLE]},
    "mostly idle": {"args": {}, "episodes": [EPISODES[1], *[IDLE] * 9]},
    "all idle": {"args": {}, "episodes": [IDLE] * 4},
}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """What OpenRLHF trains of each case."""
    paths = [str(CPU_ADAPTATION), str(SERVING_ADAPTATION), str(confined.FOLDER), str(ROOT)]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("openrlhf_rows.py"))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"},
        input=json.dumps(list(CASES.values())),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(CASES, json.loads(done.stdout.splitlines()[-1]), strict=True))


def trained(result: Any) -> list[tuple[list[int], list[float]]]:
    """(positions, advantages) of the rows that train something. Position p stands for id p + 1, as OpenRLHF has it."""
    return [
        (row["trained"], [round(each, 4) for each in row["advantages"]]) for row in result["rows"] if row["trained"]
    ]


@pytest.mark.slow
def test_each_row_has_its_episodes_advantage_and_an_episode_counts_once_in_its_group(made: dict[str, Any]) -> None:
    result = made["dr_grpo"]
    assert result["samples"] == 4  # episodes, as everything before the forward passes counts them
    # baselines (1 + 0) / 2 and (2 + 4) / 2, whatever the number of rows
    assert trained(result) == [
        ([1, 2], [0.5, 0.5]),
        ([4, 5, 6], [0.5] * 3),
        ([3], [0.5]),
        ([2, 3, 4], [-0.5] * 3),
        ([1, 2, 3], [-1.0] * 3),
        ([2, 3, 4, 5], [-1.0] * 4),
        ([1, 2], [1.0, 1.0]),
    ]
    assert result["batches"] == [2, 2, 2, 2]  # seven rows and one that trains nothing
    assert all(row["finite"] for row in result["rows"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "advantages"),
    [
        ("rloo", [1.0, 1.0, 1.0, -1.0, -2.0, -2.0, 2.0]),  # each less the other's reward
        ("group_norm", [0.7071] * 3 + [-0.7071] * 3 + [0.7071]),  # over the deviation, sqrt(1/2) and sqrt(2)
    ],
)
def test_other_estimators(made: dict[str, Any], estimator: str, advantages: list[float]) -> None:
    assert [each[1][0] for each in trained(made[estimator])] == advantages


@pytest.mark.slow
def test_episodes_of_one_row_are_as_openrlhf_has_them(made: dict[str, Any]) -> None:
    result = made["one row each"]
    assert [each[1][0] for each in trained(result)] == [0.5, -0.5, -1.0, 1.0]
    assert result["batches"] == [2, 2]


@pytest.mark.slow
def test_an_episode_that_trains_nothing_counts_in_the_baseline(made: dict[str, Any]) -> None:
    assert [each[1][0] for each in trained(made["idle ones count"])] == [-4.0] * 3  # 1 - (1 + 9) / 2
    assert made["idle ones count"]["batches"] == [2, 2]


@pytest.mark.slow
def test_no_batch_is_made_of_rows_that_train_nothing(made: dict[str, Any]) -> None:
    """One row trains, nine do not: of twelve rows eight are left out, so that the only batch holds it."""
    assert made["mostly idle"]["batches"] == [2, 2]
    assert trained(made["mostly idle"]) == [([2, 3, 4], [-4.5] * 3)]


@pytest.mark.slow
def test_a_step_in_which_nothing_trains_stops_the_run(made: dict[str, Any]) -> None:
    assert "4 episodes in which no call was trained" in made["all idle"]
    assert "rl.trained_calls" in made["all idle"]
