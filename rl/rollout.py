"""A run's episodes: its config, encoder, store and graph, opened from its folder, and many tasks asked at once.

The same few lines open a run in the main process, in evaluation and inside OpenRLHF's rollout actor, so that what is
served, trained and measured is one graph.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.chat_model.episode import Episode as Recorded
from agent.encoder import Encoder
from agent.ledger import Ledger
from agent.limits import Limits
from agent.policies.policy import Policy, Sampling
from agent.question import Overrides, Question
from agent.turn import EpisodeState
from graphs.reasoning import recursion_limit
from rl.asking import Asked, Stream
from rl.config import Config, Episode, load_config
from rl.endings import ending
from rl.graph import open_graph, picked
from rl.no_policy import ASKED_WITH, NoPolicy
from rl.rewards.compose import score
from rl.schedule import Job, played
from rl.tasks.task import Task
from rl.trajectories.check import RefusedError, TrainingRow, training_row
from rl.trajectories.origin import Origin
from rl.trajectories.record import UNKNOWN, Trajectory, record
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox

CONFIG = "config.yaml"
IMAGES = "images"


@dataclass(frozen=True)
class RunParts:
    """What episodes of a run share."""

    config: Config
    encoder: Encoder
    store: ImageStore
    limits: Limits
    graph: Any
    """Compiled: made of the nodes of a turn, with its ledger in its state."""
    origin: Origin = UNKNOWN
    asked: Asked | None = None
    """In place of `graph`: one that speaks to a chat model."""

    async def ask(self, task: Task, overrides: Overrides | Recorded, deadline_s: float | None = None) -> EpisodeState:
        """The final state of one episode of `task`, with how it ended (rl/endings.py): as far as it came.

        Raises PolicyError where the policy is lost.
        """
        question = Question(images=list(task.images), question=task.question)
        if isinstance(overrides, Recorded):
            assert self.asked is not None
            return await self.asked.ask(question, overrides, deadline_s)
        if self.asked is not None:
            sampling = overrides.sampling and replace(overrides.sampling, max_tokens=self.limits.turn_tokens)
            return await self.asked.ask(question, Recorded(overrides.policy, sampling), deadline_s)
        state = _unanswered(question)
        ASKED_WITH.set(overrides)  # each episode is asked in a task, and so a context, of its own
        stream = cast(Stream, self.graph.astream)
        settings = recursion_limit(self.limits)
        async with ending(deadline_s, self.origin.graph) as end:
            async for reached in stream(question, settings, context=overrides, stream_mode="values"):
                state |= reached
        if end.outcome is not None:
            state |= {"answer": None, "outcome": end.outcome, "bug": end.bug}
        return cast(EpisodeState, state)

    def training_rows(self, state: EpisodeState, own_from: int = 0) -> list[TrainingRow]:
        """The rows of an episode, checked; `own_from` as in `training_row`. Raises RefusedError."""
        told = cast("dict[str, Any]", state)
        ledgers = [Ledger.from_plain(each) for each in (told["ledger"], *told.get("further", ()))]
        if (longest := max(map(len, ledgers))) > self.limits.context:
            raise RefusedError(
                f"Trajectory refused: a row has {longest} ids, expected at most episode.context={self.limits.context}: "
                "does the graph take `limits`, or use the model that it is given?"
            )
        idle = "spoken" in told and len(ledgers) == 1 and bool(ledgers[0].ids) and not ledgers[0].sampled
        return [training_row(each, self.encoder, self.store, own_from=own_from, idle=idle) for each in ledgers]

    async def play(self, job: Job, policy: Policy, stage: str, sampling: Sampling | None = None) -> Trajectory:
        """One scored episode. Raises PolicyError where the policy is lost, UnscoredError where a tool or graph had a
        bug."""
        started = time.perf_counter()
        if sampling is not None and job.seed is not None:
            sampling = replace(sampling, seed=job.seed)
        state = await self.ask(job.task, Overrides(policy, sampling), job.deadline_s)
        reward, components = score(job.task, state, self.config.rl.rewards)
        seconds = time.perf_counter() - started
        return record(
            job.id or uuid4().hex,
            stage,
            job.task,
            state,
            components,
            reward,
            seconds,
            seed=job.seed,
            origin=self.origin,
            sample=job.sample,
        )


def sampling_of(config: Config) -> Sampling:
    """How reinforcement learning samples."""
    return Sampling(temperature=config.rl.temperature, min_p=config.rl.min_p)


def toolbox(config: Config) -> Toolbox:
    """The run's tools."""
    return Toolbox(load_tools(list(config.episode.tools)), deadline_s=config.episode.deadline_s)


def laptop_tools() -> Toolbox:
    """The tools that the embedded base is taught to write calls for."""
    return Toolbox(load_tools(list(Episode().tools)))


def open_run(
    run: Path,
    policy: Policy | None = None,
    tools: bool = True,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    graph: str | None = None,
) -> RunParts:
    """The parts of the run in a folder; `tools=False` for an agent that has none, `graph` for another than the run's.

    Raises GraphError.
    """
    config = load_config(run / CONFIG)
    encoder = Encoder.from_checkpoint(run / "checkpoints" / "base")
    held = load_tools(list(config.episode.tools)) if tools else []
    return opened(config, encoder, ImageStore(run / IMAGES), held, policy, checkpointer, graph)


def opened(
    config: Config,
    encoder: Encoder,
    store: ImageStore,
    tools: Sequence[BaseTool],
    policy: Policy | None = None,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    graph: str | None = None,
) -> RunParts:
    """The parts of a configuration, over an encoder, a store and tools. Raises GraphError."""
    limits = Limits(config.episode.turns, config.episode.turn_tokens, config.episode.context)
    found = open_graph(
        graph or config.graph,
        policy or NoPolicy(),
        tools,
        encoder=encoder,
        store=store,
        limits=limits,
        deadline_s=config.episode.deadline_s,
        checkpointer=checkpointer,
    )
    pick = picked(config.rl.trained_calls)
    asked = Asked(found.graph, found.adapter, store, limits, pick, found.origin.graph) if found.adapter else None
    return RunParts(config, encoder, store, limits, found.graph, found.origin, asked)


async def episodes(
    parts: RunParts,
    tasks: Sequence[Task],
    policy_for: Callable[[Task], Policy],
    stage: str,
    concurrency: int,
    sampling: Sampling | None = None,
) -> AsyncIterator[Trajectory]:
    """Scored episodes of `tasks` as they finish, `concurrency` at a time. The first that raises ends the others."""

    async def ask(job: Job) -> Trajectory:
        return await parts.play(job, policy_for(job.task), stage, sampling)

    async for finished in played(map(Job, tasks), ask, concurrency, lost=()):
        if isinstance(finished, Trajectory):
            yield finished


def _unanswered(question: Question) -> dict[str, Any]:
    """The state of an episode in which nothing has happened."""
    asked = {"role": "user", "text": question["question"], "images": list(question["images"])}
    nothing: dict[str, Any] = {
        "ledger": Ledger().to_plain(),
        "turns": 0,
        "faults": 0,
        "calls": [],
        "evidence": [],
        "answer": None,
    }
    return {**question, **nothing, "transcript": [asked], "outcome": None}
