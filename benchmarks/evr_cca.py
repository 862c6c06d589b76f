"""What MedVR's two ideas are worth here: plain training, with EVR, with CCA, with both, over several seeds.

All arms of a seed go on from the warm-up of `runs/learning-SEED` (made by `python -m benchmarks.learning`), for as many
steps, on the same tasks, and differ only in `rl.regrounding.enabled` and `rl.rewards.cca`. Besides accuracy the looks
are measured: IoU with the true lesions and how often a look holds their centre, which no arm is trained on. Runs lie in
`runs/evr-cca-SEED-ARM`; those that are there already are read, not made again.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import finding
from rl.config import Config, load_config
from rl.evaluation.grounding import centre_hits, overlap
from rl.evaluation.statistics import Estimate, bootstrap_mean, mean
from rl.train import RUNS
from rl.training.run import Stages
from rl.trajectories.record import Trajectory

ARMS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "evr": ("rl.regrounding.enabled=true",),
    "cca": ("rl.rewards.cca=0.5",),
    "both": ("rl.regrounding.enabled=true", "rl.rewards.cca=0.5"),
}
Measure = Callable[[Trajectory], float | None]
MEASURES: dict[str, Measure] = {
    "accuracy": lambda episode: float(episode.correct),
    "iou": overlap,
    "centre held": centre_hits,
    "calls": lambda episode: float(len(episode.calls)),
}


def config_of(seed: int, arm: str, steps: int) -> Config:
    """The learning run's config, from its warm-up on."""
    learnt = RUNS / f"learning-{seed}"
    own = (
        f"name=evr-cca-{seed}-{arm}",
        f"base.checkpoint={learnt / 'checkpoints' / 'warmup'}",
        "warmup.enabled=false",
        f"rl.steps={steps}",
        f"rl.save_steps={steps}",
        "serving.probe_every_s=0",
    )
    return load_config(learnt / "config.yaml", (*own, *ARMS[arm]))


async def trained(run: Path, config: Config) -> list[Trajectory]:
    """The test episodes of one arm's policy; trained first where it is not there."""
    stages = Stages.open(run, config, resume=run.exists())
    await stages.stage("base", stages.base)
    await stages.stage("warmup", stages.warm_up)
    if not {"rl", "evaluate"} <= stages.seconds().keys():
        async with stages.served() as server:
            await stages.stage("rl", lambda: stages.reinforce(server))
            await stages.stage("evaluate", lambda: stages.evaluate(server, "trained"))
    return stages.kept("trained")


def by_task(episodes: Sequence[Trajectory], measure: Measure) -> dict[str, float]:
    """A measure by task, where it is defined."""
    values = ((str(each.task["id"]), measure(each)) for each in episodes)
    return {task: value for task, value in values if value is not None}


def over_seeds(seeds: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean over seeds for each task that has a value in all of them."""
    shared = set.intersection(*(set(each) for each in seeds))
    return {task: mean([each[task] for each in seeds]) for task in shared}


def report(found: dict[str, list[list[Trajectory]]]) -> dict[str, Any]:
    """Prints the tables; the figures as plain data. `found` holds test episodes by arm and seed."""
    told: dict[str, Any] = {}
    for name, measure in MEASURES.items():
        values = {arm: [by_task(seed, measure) for seed in seeds] for arm, seeds in found.items()}
        rows: list[list[object]] = []
        for arm, seeds in values.items():
            each = [bootstrap_mean(list(seed.values())) for seed in seeds]
            ours, plain = over_seeds(seeds), over_seeds(values["plain"])
            gain = bootstrap_mean([ours[task] - plain[task] for task in sorted(ours.keys() & plain.keys())])
            told.setdefault(arm, {})[name] = {
                "seeds": [{"mean": one.mean, "ci95": one.ci95, "n": one.n} for one in each],
                "over_plain": {"mean": gain.mean, "ci95": gain.ci95, "n": gain.n},
            }
            rows.append([arm, *map(_told, each), _told(gain)])
        columns = ["arm", *(f"seed {number}" for number in range(len(rows[0]) - 2)), "over plain"]
        print(f"\n{name}\n{finding.table(columns, rows)}")
    return told


def _told(estimate: Estimate) -> str:
    return f"{estimate.mean:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evr_cca", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, help="default: runs/benchmarks/evr_cca.json")
    asked = parser.parse_args()
    found: dict[str, list[list[Trajectory]]] = {arm: [] for arm in ARMS}
    for seed in asked.seeds:
        for arm in ARMS:
            run = RUNS / f"evr-cca-{seed}-{arm}"
            found[arm].append(asyncio.run(trained(run, config_of(seed, arm, asked.steps))))
    print(finding.write("evr_cca", {"steps": asked.steps, "arms": report(found)}, asked.out))


if __name__ == "__main__":
    main()
