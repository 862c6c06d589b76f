"""Publish and swap while training goes on: each saved checkpoint goes live in the served graph, which keeps answering.

The trainer writes a Hugging Face folder every `rl.save_steps`. When it is whole it is published (its weights with the
base's settings, sealed, given a version that is never reused), validated and hot-swapped. Meanwhile a prober asks the
served graph questions from the validation split: a question that fails, or an answer that the live weights would not
give, is counted at the swap around which it was asked.
"""

import asyncio
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.chat.record.ledger import LedgerError
from agent.policies.policy import PolicyError
from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import (
    Checkpoint,
    CheckpointError,
    latest_checkpoint,
    load_checkpoint,
    publish,
    published_checkpoints,
)
from agent.serving.server import VLLMServer
from agent.serving.swap import hot_swap
from rl.config import Config
from rl.rewards.compose import UnscoredError, score
from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.training.exactness import compare
from rl.training.trainers.find import find_trainer
from rl.training.whole_files import whole_checkpoint
from rl.trajectories.record import Trajectory, record
from tools.private_files import clear_write_errors, private_opener

PROBES = 4


@dataclass(frozen=True)
class Swap:
    """One swap as the report shows it."""

    version: str
    seconds: float
    """From the pause to the first new token."""
    failed_requests: int
    """Questions to the served graph that failed since the swap before."""
    stale_answers: int | None
    """Of the probes asked right after the swap: greedy answers that the new weights would not give."""
    asked: int
    """Questions asked since the swap before."""
    reasons: tuple[str, ...] = ()
    """Why those that failed did."""


class Publisher:
    """Publishes a run's saved checkpoints and swaps them into its server."""

    def __init__(self, run: Path, server: VLLMServer, parts: RunParts, probes: list[Task]) -> None:
        self.run, self.server, self.parts, self.probes = run, server, parts, probes
        self.policy = ServedPolicy(server.base_url, server.versions)
        self.trainer = find_trainer(parts.config.rl.trainer)
        self.asked, self.failed = 0, list[str]()

    @property
    def versions(self) -> Path:
        """The folder of published versions."""
        return self.run / "checkpoints"

    def saved(self) -> list[tuple[int, Path]]:
        """(step, folder) of whole checkpoints that the trainer saved and nobody has published, in order."""
        known = {checkpoint.version for checkpoint in published_checkpoints(self.versions)}
        saved = sorted(self.trainer.saved(self.run).items())
        return [(step, path) for step, path in saved if version_of(step) not in known and whole_checkpoint(path)]

    async def watch(self, stop: asyncio.Event) -> None:
        """Publishes until `stop` is set and nothing saved is left."""
        while True:
            last = stop.is_set()
            for step, folder in self.saved():
                await self.go_live(await asyncio.to_thread(self.seal, step, folder))
            if last:
                return
            await asyncio.sleep(0.5)

    def seal(self, step: int, folder: Path) -> Checkpoint:
        """The saved folder as a published version. Raises CheckpointError where it is not whole."""
        if not whole_checkpoint(folder):
            raise CheckpointError(
                f"got half a checkpoint in {folder}, expected what the trainer saves; go on with --resume"
            )
        parent = latest_checkpoint(self.versions)
        base = self.versions / "base"
        mended = self.run / "rl" / "published"
        try:
            whole = self.trainer.as_transformers_saves(folder, base, mended)
            return publish(
                whole, self.versions, version_of(step), parent.version if parent else None, {"step": step}, base
            )
        finally:
            shutil.rmtree(mended, ignore_errors=True)

    async def go_live(self, checkpoint: Checkpoint) -> Swap:
        """Swaps a published version in, asks the probes, and notes the swap."""
        result = await hot_swap(self.server, checkpoint)
        answers = await asyncio.gather(*(self.ask(task) for task in self.probes[:PROBES]))
        stale = None
        if self.parts.config.device == "cpu":
            told = [answer for answer in answers if answer is not None]
            stale = (await asyncio.to_thread(compare, checkpoint.folder, told, self.parts)).not_greedy
        seconds, reasons = result.pause_to_first_token, tuple(self.failed)
        swap = Swap(checkpoint.version, seconds, len(reasons), stale, self.asked, reasons)
        self.asked, self.failed = 0, list[str]()
        path = self.run / "swaps.jsonl"
        with clear_write_errors(path), open(path, "a", encoding="utf-8", opener=private_opener) as file:
            file.write(json.dumps(asdict(swap)) + "\n")
        return swap

    async def ask(self, task: Task) -> Trajectory | None:
        """One question to the served graph; None where it failed, which is counted."""
        self.asked += 1
        try:
            state = await self.parts.ask(task, self.parts.episode(self.policy))
            reward, components = score(task, state, self.parts.config.rl.rewards)
        except (PolicyError, LedgerError, UnscoredError) as reason:
            self.failed.append(f"{type(reason).__name__}: {reason}")
            return None
        return record(task.id, "probe", task, state, components, reward, 0.0)

    async def probe(self, stop: asyncio.Event) -> None:
        """Asks the served graph one question after the other until `stop` is set."""
        every = self.parts.config.serving.probe_every_s
        count = 0
        while every and self.probes and not stop.is_set():
            await self.ask(self.probes[count % len(self.probes)])
            count += 1
            await asyncio.sleep(every)


def version_of(step: int) -> str:
    """The name of the version saved at an RL step."""
    return f"rl-{step:05d}"


def trained(versions: Path, config: Config) -> Checkpoint:
    """The version of a run's last step. Raises CheckpointError where it was never published."""
    version = version_of(config.rl.steps)
    if version not in {checkpoint.version for checkpoint in published_checkpoints(versions)}:
        raise CheckpointError(
            f"Got no {version} in {versions}, expected the weights at the end of training. Go on with --resume; where "
            "the run's stages.json tells that `rl` is done, take it out there first: they are published then."
        )
    return load_checkpoint(versions / version)


def swaps(run: Path) -> list[dict[str, Any]]:
    """The run's swaps so far."""
    path = run / "swaps.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
