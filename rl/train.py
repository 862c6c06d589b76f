"""`python -m rl.train`: base -> warm-up -> reinforcement learning -> evaluation -> report, each stage resumable.

Everything of a run lies in `runs/NAME/`: the resolved configuration, tasks, images, trajectories, published
checkpoints, logs, report.json, curves and report.html. Before the first stage, and in a dry run, everything that the
run needs is looked at, and all that is wrong with it told at once (rl/training/preflight/). A stage that was finished
is not done again; `--resume` goes on where a run was cut off, at whatever moment. Research use only, not a medical
device.
"""

import argparse
import asyncio
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rl.config import EIGHT_GPUS, LAPTOP, REASONING, ROOT, Config, ConfigError, dump, load_config
from tools.discovery import EntryPointError
from tools.run.openmp import sleep_while_waiting

NOTICE = "MedVista: research use only, not a medical device."
RUNS = ROOT / "runs"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line; what is left over are dotted overrides."""
    parser = argparse.ArgumentParser(prog="python -m rl.train", description=__doc__)
    parser.add_argument("--config", type=Path, help="a YAML file; by default the one that fits this machine")
    parser.add_argument("--run", type=Path, help="the run's folder (default: runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was cut off")
    parser.add_argument(
        "--dry-run", action="store_true", help="print the resolved config and every command line, and check all"
    )
    parser.add_argument("overrides", nargs="*", help="dotted overrides, such as rl.steps=5")
    return parser.parse_intermixed_args(argv)


def has_gpu() -> bool:
    """Whether torch sees a GPU."""
    import torch

    return torch.cuda.is_available()


def chosen_config(asked: argparse.Namespace) -> Config:
    """The config of the command line; to resume a run that is named, by default that run's own."""
    from rl.training.trainers.find import find_trainer

    own = asked.run / "config.yaml" if asked.run and asked.resume and not asked.overrides else None
    path = asked.config or own or (EIGHT_GPUS if has_gpu() else LAPTOP)
    config = load_config(path, asked.overrides)
    find_trainer(config.rl.trainer)  # everything else asks it
    if config.graph != REASONING:
        from graphs.app.loading import absolute

        config = config.model_copy(update={"graph": absolute(config.graph)})  # the training processes run elsewhere
    return config


def run_folder(name: str, resume: bool) -> Path:
    """`runs/NAME`, or where that is taken `runs/NAME-2` and so on; to resume, the last of them."""
    taken = RUNS / name
    number = 1
    while (following := RUNS / (name if number == 1 else f"{name}-{number}")).exists():
        taken = following
        number += 1
    return taken if resume else following


def print_plan(config: Config, run: Path) -> None:
    """What a run would do."""
    from agent.serving.server_command import ServerOptions, server_command
    from rl.training.trainers.find import find_trainer

    base = run / "checkpoints" / "base"
    options = ServerOptions(max_model_len=config.episode.context, max_num_seqs=config.serving.max_num_seqs)
    server = server_command(base, 8000, options, "gpu" if config.device == "gpu" else "cpu")
    plan = {"the served graph's vLLM": server, **find_trainer(config.rl.trainer).commands(config, run)}
    if config.device == "gpu" and config.warmup.enabled:
        from rl.training.sft_gpu import command as warmup_command

        plan = {"the warm-up": warmup_command(run), **plan}
    print("\n\n".join([dump(config).rstrip(), *(f"# {name}\n{shlex.join(line)}" for name, line in plan.items())]))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status (2: it could not start)."""
    sleep_while_waiting()
    asked = parse(sys.argv[1:] if argv is None else argv)
    try:
        config = chosen_config(asked)
    except (ConfigError, EntryPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    run = (asked.run or run_folder(config.name, asked.resume)).resolve()
    if asked.dry_run:
        print_plan(config, run)
        return 2 if found_faults(config, run, keep=False) else 0
    return train(run, config, asked.resume)


def found_faults(config: Config, run: Path, keep: bool) -> bool:
    """Looks at all that the run needs and tells what is wrong; whether that stops it (rl/training/preflight/)."""
    from rl.training.preflight.check import check_run, describe
    from rl.training.preflight.finding import stop

    found = check_run(config, run, keep)
    if found:
        print(describe(found), file=sys.stderr)
    return stop(found)


def train(run: Path, config: Config, resume: bool) -> int:
    """Runs or resumes a run; 0 done, 1 stopped on the way (it can be resumed), 2 it could not start."""
    from agent.chat.record.ledger import LedgerError
    from agent.policies.policy import PolicyError
    from agent.serving.checkpoint import CheckpointError
    from agent.serving.server_command import ServerError
    from agent.serving.swap import SwapError
    from graphs.app.loading import GraphError
    from rl.processes.child import TrainingError
    from rl.rewards.compose import UnscoredError
    from rl.tasks.errors import TaskFileError
    from rl.training.base import NoBaseError
    from rl.training.preflight.folder import folder
    from rl.training.run import RunExists, Stages
    from tools.private_files import WriteError

    print(f"{NOTICE}\nrun: {run}")
    if any(folder(run)):
        found_faults(config, run, keep=False)
        return 2
    before = contents_of(run)
    try:
        stages = Stages.open(run, config, resume)
        if found_faults(config, run, keep=True):
            remove_new(run, before)
            return 2
    except (RunExists, WriteError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        report = asyncio.run(stages.all())
    except (NoBaseError, TaskFileError, GraphError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (
        CheckpointError,
        LedgerError,
        PolicyError,
        ServerError,
        SwapError,
        TrainingError,
        UnscoredError,
        WriteError,
    ) as error:
        print(f"error: {error}\nMend it and go on: python -m rl.train --run {run} --resume", file=sys.stderr)
        return 1
    print(f"report: {report}")
    return 0


def contents_of(run: Path) -> set[Path] | None:
    """What lies in a run's folder; None where there is no folder."""
    return set(run.iterdir()) if run.is_dir() else None


def remove_new(run: Path, before: set[Path] | None) -> None:
    """Removes what a run that could not start has written, so that its folder is as free as it was."""
    for path in contents_of(run) or set[Path]():
        if before is None or path not in before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if before is None:
        run.rmdir()


if __name__ == "__main__":
    sys.exit(main())
