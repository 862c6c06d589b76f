"""What reinforcement learning is worth: whole training runs over several seeds, side by side.

Each seed is a full `python -m rl.train` from the committed base, in `runs/learning-SEED`; a seed varies the training
tasks, the warm-up and the sampling, never the held-out tasks. Runs that are there already are read, not made again.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import finding
from rl.evaluation.schema import CONDITIONS, GAINS
from rl.train import RUNS


def report_of(seed: int, overrides: Sequence[str]) -> dict[str, Any]:
    """The report of one seed's run, made if it is not there. Raises CalledProcessError where training fails."""
    run = RUNS / f"learning-{seed}"
    path = run / "report.json"
    if not path.exists():
        resume = ["--resume"] if run.exists() else []
        line = [sys.executable, "-m", "rl.train", "--run", str(run), *resume, f"seed={seed}", *overrides]
        subprocess.run(line, check=True)
    return json.loads(path.read_text())


def row(seed: int, report: Mapping[str, Any]) -> list[object]:
    """Accuracies with intervals, gains with intervals, call rates, minutes."""
    conditions, gains = report["conditions"], report["gain"]
    need = conditions["trained"]["tool_call_rate_by_need"]
    minutes = sum(stage["seconds"] or 0 for stage in report["stages"].values()) / 60
    return [
        seed,
        *(_with_interval(conditions[name]["accuracy"], conditions[name]["ci95"], 3) for name in CONDITIONS),
        *(_with_interval(gains[name]["points"], gains[name]["ci95"], 1) for name in GAINS),
        f"{need['needed']:.2f} / {need['not_needed']:.2f}",
        f"{minutes:.1f}",
    ]


def _with_interval(value: float, interval: Sequence[float], digits: int) -> str:
    low, high = interval
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, help="default: runs/benchmarks/learning.json")
    parser.add_argument("overrides", nargs="*", help="dotted overrides for every run")
    asked = parser.parse_intermixed_args()
    reports = {seed: report_of(seed, asked.overrides) for seed in asked.seeds}
    columns = ("seed", *CONDITIONS, *GAINS, "calls needed / not", "minutes")
    print(finding.table(columns, [row(seed, report) for seed, report in reports.items()]))
    for seed, report in reports.items():
        kinds = report["conditions"]["trained"]["by_kind"]
        told = (f"{kind} {part['accuracy']:.2f} (calls {part['tool_call_rate']:.2f})" for kind, part in kinds.items())
        print(f"seed {seed}, trained, by kind: {', '.join(told)}")
    print(finding.write("learning", {"reports": {str(seed): report for seed, report in reports.items()}}, asked.out))


if __name__ == "__main__":
    main()
