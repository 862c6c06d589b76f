"""A run: its folder, its stages in order, and what each leaves behind so that it is not done twice.

Each stage writes its result atomically or appends whole lines, and notes itself in `stages.json` when it is done. So a
kill at any moment costs at most the work of one stage since its own last checkpoint, and no trajectory is lost or
counted twice.
"""

import asyncio
import fcntl
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tqdm import tqdm

from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import CheckpointError, latest, load, publish, published
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from agent.serving.staging import sweep
from agent.serving.swap import hot_swap
from rl.config import REASONING, Config, dump
from rl.evaluation.ask import ask_all
from rl.rollout.run_parts import CONFIG, RunParts, open_run
from rl.rollout.schedule import Job
from rl.tasks.task import Task
from rl.training import base, run_tasks, sft, sft_gpu
from rl.training.publish import Publisher, trained, version_of
from rl.training.summary import write_summary
from rl.training.trainers.find import find_trainer
from rl.training.trainers.trainer import TrainingJob
from rl.trajectories.record import Trajectory
from rl.trajectories.store import TrajectoryStore
from tools.private_files import PRIVATE_FOLDER, clear_write_errors, private_folder, write_whole


class RunExists(FileExistsError):
    """The run's folder is taken: by an earlier run, or by a process that is at work in it now."""


class OtherVersion(CheckpointError):
    """A condition would be measured, or was, on other weights than its own."""


@dataclass
class Stages:
    """The stages of one run."""

    run: Path
    config: Config
    at_work: IO[str]
    """Held open: the lock on the run's folder."""

    @classmethod
    def open(cls, run: Path, config: Config, resume: bool) -> "Stages":
        """A new run in an empty folder, or, with `resume`, the one that lies there. Raises RunExists, WriteError.

        The folder is its owner's alone from then on: questions, images and logs of patients lie in it.
        """
        private_folder(run)
        with clear_write_errors(run):
            if run.stat().st_mode & 0o077:  # of an older run, or made by hand
                run.chmod(PRIVATE_FOLDER)
            at_work = (run / ".at_work").open("w")
        try:
            fcntl.flock(at_work, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however it ends
        except BlockingIOError as error:
            raise RunExists(
                f"Got {run}, in which another process is at work; wait for it, or choose another --run."
            ) from error
        path = run / CONFIG
        if path.exists() and not resume:
            raise RunExists(f"Got {run}, which holds a run; go on with --resume, or choose another --run.")
        if path.exists() and path.read_text(encoding="utf-8") != dump(config):
            raise RunExists(
                f"Got a config that differs from {path}; resume with the same one, or choose another --run."
            )
        write_whole(path, dump(config).encode())
        sweep(run / "checkpoints")
        return cls(run, config, at_work)

    @property
    def versions(self) -> Path:
        """Where published checkpoints lie."""
        return self.run / "checkpoints"

    def seconds(self) -> dict[str, float]:
        """Seconds of the stages that are done."""
        path = self.run / "stages.json"
        return json.loads(path.read_text()) if path.exists() else {}

    async def stage(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Does a stage unless it is done; its seconds are those of the try that finished it."""
        if name in self.seconds():
            return
        print(f"== {name}", flush=True)
        started = time.monotonic()
        await work()
        done = {**self.seconds(), name: round(time.monotonic() - started, 1)}
        write_whole(self.run / "stages.json", json.dumps(done).encode())

    async def all(self) -> Path:
        """Every stage; the report's path."""
        await self.stage("base", self.base)
        await self.stage("warmup", self.warm_up)
        if not {"evaluate", "rl"} <= self.seconds().keys():
            async with self.served() as server:
                await self.stage("evaluate_before", lambda: self.evaluate_before(server))
                await self.stage("rl", lambda: self.reinforce(server))
                await self.stage("evaluate", lambda: self.evaluate(server, "trained"))
        return write_summary(self.run, self.parts(), self.seconds())

    def parts(self, tools: bool = True, graph: str | None = None) -> RunParts:
        """The run's graph and what its episodes share; `graph` for another than the run's."""
        return open_run(self.run, tools=tools, graph=graph)

    def tasks(self, split: str) -> list[Task]:
        """The tasks of a split; drawn on first use, then read."""
        kept = run_tasks.read(self.run, split)
        if kept is None:
            drawn, count = run_tasks.drawn(self.config, self.parts().store, split), run_tasks.wanted(self.config, split)
            kept = list(tqdm(drawn, desc=f"{split} tasks", total=count, unit="task"))
            run_tasks.keep(self.run, split, kept)
        return kept

    async def base(self) -> None:
        """The policy to begin with, as a published version."""
        if "base" not in {checkpoint.version for checkpoint in published(self.versions)}:
            folder = base.prepare(self.config, self.run / "base")
            publish(folder, self.versions, "base", None, {})

    async def warm_up(self) -> None:
        """Supervised learning on demonstrations; without it the base is published again as `warmup`.

        The demonstrator speaks in the reasoning graph, whichever is trained: it teaches how to write turns and calls,
        which every graph's calls of the policy share.
        """
        if latest(self.versions) != load(self.versions / "base"):
            return
        out, work = sft.folders(self.run)
        if self.config.warmup.enabled:
            shown = list(TrajectoryStore(self.run / "trajectories" / "demonstrations"))
            parts = self.parts(graph=REASONING)
            if len(shown) < self.config.warmup.trajectories:
                shown = await sft.demonstrate(parts, self.run / "trajectories" / "demonstrations")
            if self.config.device == "gpu":
                await sft_gpu.train_apart(self.run)
            else:
                sft.train(parts, shown, self.versions / "base", out, work)
        else:
            out = self.versions / "base"
        publish(out, self.versions, "warmup", "base", {}, self.versions / "base")

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[VLLMServer, None]:
        """A server with the version that the run had live last."""
        live = load(self.versions / "base")
        if "rl" in self.seconds():
            live = trained(self.versions, self.config)
        elif "evaluate_before" in self.seconds():
            live = latest(self.versions) or live
        options = ServerOptions(
            max_model_len=self.config.episode.context,
            max_num_seqs=self.config.serving.max_num_seqs,
            extra_arguments=self.config.serving.extra_arguments,
        )
        async with VLLMServer(live, options, log=self.run / "logs" / "vllm.log") as server:
            yield server

    async def evaluate_before(self, server: VLLMServer) -> None:
        """The base without tools, the base with them, and the warm-up."""
        await self.evaluate(server, "no_tools")
        await self.evaluate(server, "tools_untrained")
        await hot_swap(server, load(self.versions / "warmup"))
        await self.evaluate(server, "warmup")

    async def evaluate(self, server: VLLMServer, condition: str) -> None:
        """One condition on the test tasks. Raises OtherVersion where an answer is not of that condition's weights."""
        version = {"warmup": "warmup", "trained": version_of(self.config.rl.steps)}.get(condition, "base")
        if server.versions.live != version:
            raise OtherVersion(
                f"Got the version {server.versions.live} on the server, expected {version}, of which {condition!r} "
                "tells; go on with --resume."
            )
        policy = ServedPolicy(server.base_url, server.versions)
        kept = TrajectoryStore(self.run / "trajectories" / condition)
        parts = self.parts(tools=condition != "no_tools")
        answers = await ask_all(parts, policy, [Job(task) for task in self.tasks("test")], condition, kept)
        if others := {each for answer in answers for each in answer.versions} - {version}:
            raise OtherVersion(
                f"Got answers of {', '.join(sorted(others))} in {kept.folder}, expected only some of {version}. Move "
                "that folder away and go on with --resume: the condition is then measured anew."
            )

    def kept(self, condition: str) -> list[Trajectory]:
        """The episodes of a condition that was evaluated."""
        return list(TrajectoryStore(self.run / "trajectories" / condition))

    async def reinforce(self, server: VLLMServer) -> None:
        """The trainer trains; what it saves goes live in the served graph, which keeps answering."""
        wanted = self.config.rl.steps * self.config.rl.prompts_per_step
        tasks = _repeated(self.tasks("train"), wanted)
        publisher = Publisher(self.run, server, self.parts(), self.tasks("validation"))
        stop = asyncio.Event()
        company = [asyncio.create_task(publisher.watch(stop)), asyncio.create_task(publisher.probe(stop))]
        try:
            with _Progress(self.run, wanted * self.config.rl.samples_per_prompt) as progress:
                job = TrainingJob(self.run, self.config, self.versions / "warmup", tasks, progress.tick)
                await find_trainer(self.config.rl.trainer).train(job)
            await asyncio.sleep(0)
        finally:
            stop.set()
            await asyncio.gather(*company)
        await self._last(publisher)

    async def _last(self, publisher: Publisher) -> None:
        """The weights at the end of training go live, unless a checkpoint that was saved meanwhile is them."""
        steps = self.config.rl.steps
        if version_of(steps) not in {checkpoint.version for checkpoint in published(self.versions)}:
            await publisher.go_live(publisher.seal(steps, find_trainer(self.config.rl.trainer).final(self.run)))


class _Progress:
    """A bar over the episodes that training has sampled, read from their store."""

    def __init__(self, run: Path, total: int) -> None:
        self.store = TrajectoryStore(run / "trajectories" / "rl")
        self.bar = tqdm(total=total, desc="reinforcement learning", unit="episode")

    def tick(self) -> None:
        """Counts the episodes that were added."""
        self.bar.update(self.store.count() - int(self.bar.n))

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.tick()
        self.bar.close()
        self.store.seal()


def _repeated(tasks: Sequence[Task], count: int) -> list[Task]:
    return [tasks[index % len(tasks)] for index in range(count)]
