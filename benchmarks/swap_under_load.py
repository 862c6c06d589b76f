"""Hot swap under load: what it costs the requests of a running agent, and whether any answer comes from old weights.

Sixteen greedy episodes at a time go through the served graph without a pause, while the server is swapped to and fro
between two checkpoints. An episode whose every turn is stamped with one version was asked while that version was live;
each of its tokens is replayed through transformers under that version's own weights, in float32. A token that is not
the most probable one there is a stale answer. The same replay under the other version says how many episodes could have
shown a difference: where both versions say the same, nothing is proved.
"""

import argparse
import asyncio
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tqdm import tqdm

from agent.chat.loading import family_in
from agent.chat.record.ledger import LedgerError
from agent.policies.policy import PolicyError
from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import MANIFEST, Checkpoint, publish
from agent.serving.checkpoint import load_checkpoint as load_version
from agent.serving.engine_control import PauseMode
from agent.serving.server import VLLMServer
from agent.serving.swap import SwapResult, hot_swap
from benchmarks import agent_parts, finding
from graphs.app.default_checkpoint import default_folder
from rl.config import load_config
from rl.rewards.compose import score
from rl.rollout.run_parts import RunParts, open_parts
from rl.tasks.task import Task
from rl.training.exactness import compare
from rl.trajectories.record import Trajectory, record
from tools.images.store import ImageStore

TASKS = 64
NOISE = 0.05
"""Relative standard deviation by which the weights of a made-up second version differ."""


class Load:
    """Episodes without end, so many at a time."""

    def __init__(self, parts: RunParts, policy: ServedPolicy, tasks: Sequence[Task]) -> None:
        self.parts, self.policy = parts, policy
        self.finished: list[Trajectory] = []
        self.failures: list[str] = []
        self._tasks: Iterator[Task] = itertools.cycle(tasks)

    async def worker(self, stop: asyncio.Event) -> None:
        """One episode after the other until `stop`."""
        while not stop.is_set():
            task, began = next(self._tasks), time.perf_counter()
            try:
                state = await self.parts.ask(task, self.parts.episode(self.policy))
            except (PolicyError, LedgerError) as error:
                self.failures.append(str(error))
                continue
            reward, components = score(task, state, self.parts.config.rl.rewards)
            seconds = time.perf_counter() - began
            self.finished.append(record(uuid4().hex, "benchmark", task, state, components, reward, seconds))

    async def until(self, version: str, episodes: int) -> None:
        """Waits for so many more episodes wholly under `version`. Raises RuntimeError if requests only fail."""
        here = len(self.finished)
        failed = len(self.failures)
        while sum(each.versions == [version] for each in self.finished[here:]) < episodes:
            if len(self.failures) - failed > 10 * episodes:
                raise RuntimeError(f"got {len(self.failures)} failed episodes; the last one: {self.failures[-1]}")
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Plan:
    """How much is swapped, under which load."""

    swaps: int
    episodes: int
    concurrency: int
    mode: PauseMode


@dataclass(frozen=True)
class Period:
    """From one swap to the next."""

    swap: SwapResult
    episodes: Sequence[Trajectory]
    failures: Sequence[str]
    """Why episodes ended without their end; a request that fails ends its episode."""


@dataclass(frozen=True)
class Line:
    """One swap, and what was answered until the next."""

    version: str
    pause_to_first_token: float
    seconds: float
    requests: int
    failed: int
    checked: int
    """Episodes wholly under this version."""
    stale: int
    telling: int
    """Of those checked, the ones that the other version would have answered differently."""
    across: int
    """Episodes that lived through the swap, and carry both versions."""


async def swap_under_load(
    server: VLLMServer, parts: RunParts, tasks: Sequence[Task], versions: Sequence[Checkpoint], plan: Plan
) -> list[Period]:
    """Swaps to and fro while the load runs; at least `plan.episodes` whole episodes after each swap."""
    stop = asyncio.Event()
    periods: list[Period] = []
    async with ServedPolicy(server.base_url, server.versions) as policy:
        load = Load(parts, policy, tasks)
        workers = [asyncio.create_task(load.worker(stop)) for _ in range(plan.concurrency)]
        try:
            await load.until(versions[0].version, plan.episodes)
            for number in tqdm(range(1, plan.swaps + 1), desc="swaps", unit="swap"):
                checkpoint = versions[number % 2]
                finished, failed = len(load.finished), len(load.failures)
                result = await hot_swap(server, checkpoint, plan.mode)
                await load.until(checkpoint.version, plan.episodes)
                periods.append(Period(result, load.finished[finished:], load.failures[failed:]))
        finally:
            stop.set()
            await asyncio.gather(*workers)
    return periods


def check(period: Period, versions: Sequence[Checkpoint], parts: RunParts) -> Line:
    """The period's answers against transformers."""
    live = period.swap.version
    whole = [each for each in period.episodes if each.versions == [live]]
    own, other = sorted(versions, key=lambda checkpoint: checkpoint.version != live)
    return Line(
        version=live,
        pause_to_first_token=period.swap.pause_to_first_token,
        seconds=period.swap.seconds,
        requests=sum(each.turns for each in period.episodes),
        failed=len(period.failures),
        checked=len(whole),
        stale=compare(own.folder, whole, parts).not_greedy,
        telling=compare(other.folder, whole, parts).not_greedy,
        across=sum(len(each.versions) > 1 for each in period.episodes),
    )


def sealed(folder: Path, versions: Path, name: str) -> Checkpoint:
    """The published version in `folder`, or a plain Hugging Face folder published under `name`."""
    return load_version(folder) if (folder / MANIFEST).exists() else publish(folder, versions, name, None, {}, folder)


def disturbed(checkpoint: Checkpoint, work: Path) -> Checkpoint:
    """The checkpoint with noise on its weights: a second version where there is none yet."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = work / "disturbed"
    shutil.copytree(checkpoint.folder, folder)
    (folder / MANIFEST).unlink()
    random = torch.Generator().manual_seed(0)
    for path in folder.glob("*.safetensors"):
        weights = load_file(path)
        for name, tensor in weights.items():
            noise = torch.randn(tensor.shape, generator=random)
            weights[name] = (tensor.float() * (1 + NOISE * noise)).to(tensor.dtype)
        path.chmod(0o644)
        save_file(weights, path, metadata={"format": "pt"})
    return publish(folder, work / "versions", "disturbed", checkpoint.version, {}, folder)


def report(lines: Sequence[Line]) -> dict[str, Any]:
    """Prints the table; the figures as plain data."""
    columns = (
        "version",
        "pause to token, s",
        "pause, s",
        "requests",
        "failed",
        "checked",
        "stale",
        "telling",
        "across",
    )
    print(finding.table(columns, [tuple(asdict(line).values()) for line in lines]))
    worst = max(line.pause_to_first_token for line in lines)
    failed, stale = sum(line.failed for line in lines), sum(line.stale for line in lines)
    checked, telling = sum(line.checked for line in lines), sum(line.telling for line in lines)
    requests = sum(line.requests for line in lines)
    print(f"{len(lines)} swaps: {failed} of {requests} requests failed; {stale} of {checked} answers stale", end=" ")
    print(f"({telling} of them differ between the versions); longest pause to first token {worst:.3f} s")
    return {
        "swaps": [asdict(line) for line in lines],
        "failed_requests": failed,
        "stale_answers": stale,
        "checked_answers": checked,
        "telling_answers": telling,
        "pause_to_first_token_max": worst,
    }


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap_under_load", description=__doc__)
    parser.add_argument("--first", type=Path, metavar="FOLDER", help="default: the version published last")
    parser.add_argument("--second", type=Path, metavar="FOLDER", help="default: the first with noise on its weights")
    parser.add_argument("--swaps", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--episodes", type=int, default=48, help="whole ones after each swap (default: %(default)s)")
    parser.add_argument("--mode", choices=("keep", "wait"), default="keep", help="default: %(default)s")
    agent_parts.add_arguments(parser)
    asked = parser.parse_args()
    config = load_config(asked.config)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        first = sealed(asked.first or default_folder(), work / "versions", "first")
        second = sealed(asked.second, work / "versions", "second") if asked.second else disturbed(first, work)
        tasks = agent_parts.draw_tasks(work / "images", TASKS)
        parts = open_parts(config, family_in(first.folder), ImageStore(work / "images"))
        options = agent_parts.server_options(config, asked.concurrency)
        with VLLMServer(first, options, log=agent_parts.LOG) as server:
            plan = Plan(asked.swaps, asked.episodes, asked.concurrency, asked.mode)
            periods = asyncio.run(swap_under_load(server, parts, tasks, (first, second), plan))
        lines = [check(period, (first, second), parts) for period in tqdm(periods, desc="checked", unit="swap")]
    found = {"first": first.version, "second": second.version, "concurrency": asked.concurrency, "mode": asked.mode}
    print(finding.write("swap_under_load", {**found, **report(lines)}, asked.out))


if __name__ == "__main__":
    main()
