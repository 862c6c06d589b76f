"""A run's episodes: its config, encoder, store and graph, opened from its folder, and many tasks asked at once.

The same few lines open a run in the main process, in evaluation and inside OpenRLHF's rollout actor, so that what is
served, trained and measured is one graph.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from langchain_core.tools import BaseTool
from PIL.Image import Image

from agent.encoder import Encoder
from agent.ledger import Ledger
from agent.policies.policy import Completion, Policy, Sampling
from agent.turn import Agent, EpisodeState, Limits, Overrides, Question
from graphs import reasoning
from graphs.catalogue import graphs
from graphs.reasoning import ReasoningGraph, compile_reasoning, recursion_limit
from rl.config import Config, Episode, load_config
from rl.rewards.compose import score
from rl.schedule import Job, played
from rl.tasks.task import Task
from rl.trajectories.origin import Origin, origin_of
from rl.trajectories.record import UNKNOWN, Trajectory, record
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox

Stream = Callable[..., AsyncIterator[dict[str, Any]]]
CONFIG = "config.yaml"
IMAGES = "images"


OUT_OF_TIME = "out_of_time"
"""The outcome of an episode that its deadline cut."""
NOTHING = Overrides()
_ASKED_WITH: ContextVar[Overrides] = ContextVar("asked_with", default=NOTHING)
"""What the episode at hand was asked with: any graph's nodes find it, whether or not the graph takes a run context."""


class NoPolicy:
    """Stands where every episode brings its own policy and sampling."""

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The episode's own policy's turn. Raises LookupError where it brought none."""
        own = _ASKED_WITH.get()
        if own.policy is None:
            raise LookupError("This graph was opened without a policy: give one in Overrides.")
        wanted = own.sampling or sampling
        fitting = replace(wanted, max_tokens=sampling.max_tokens, banned=sampling.banned)
        return await own.policy.generate(token_ids, images, fitting)


@dataclass(frozen=True)
class RunParts:
    """What episodes of a run share."""

    config: Config
    encoder: Encoder
    store: ImageStore
    limits: Limits
    graph: ReasoningGraph
    origin: Origin = UNKNOWN

    async def ask(self, task: Task, overrides: Overrides, deadline_s: float | None = None) -> EpisodeState:
        """The final state of one episode of `task`; at its deadline, as far as it came, with the outcome OUT_OF_TIME.

        Raises what the graph raises: PolicyError where the policy is lost.
        """
        question = Question(images=list(task.images), question=task.question)
        state = _unanswered(question)
        _ASKED_WITH.set(overrides)  # each episode is asked in a task, and so a context, of its own
        stream = cast(Stream, self.graph.astream)  # pyright: ignore[reportUnknownMemberType]
        settings = recursion_limit(self.limits)
        deadline = asyncio.timeout(deadline_s)
        try:
            async with deadline:
                async for reached in stream(question, settings, context=overrides, stream_mode="values"):
                    state |= reached
        except TimeoutError:
            if not deadline.expired():
                raise
            state |= {"answer": None, "outcome": OUT_OF_TIME}
        return cast(EpisodeState, state)

    async def play(self, job: Job, policy: Policy, stage: str, sampling: Sampling | None = None) -> Trajectory:
        """One scored episode. Raises PolicyError where the policy is lost, UnscoredError where a tool had a bug."""
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


def open_run(run: Path, policy: Policy | None = None, tools: bool = True) -> RunParts:
    """The parts of the run in a folder; `tools=False` for an agent that has none."""
    config = load_config(run / CONFIG)
    encoder = Encoder.from_checkpoint(run / "checkpoints" / "base")
    store = ImageStore(run / IMAGES)
    limits = Limits(config.episode.turns, config.episode.turn_tokens, config.episode.context)
    held = load_tools(list(config.episode.tools)) if tools else []
    agent = Agent(
        policy=policy or NoPolicy(),
        encoder=encoder,
        toolbox=Toolbox(held, deadline_s=config.episode.deadline_s),
        store=store,
        limits=limits,
        sampling=Sampling(temperature=0.0),
    )
    return RunParts(config, encoder, store, limits, compile_reasoning(agent), origin_of(reasoning, held))


def compiled_graph(
    name: str,
    policy: Policy,
    tools: Sequence[BaseTool],
    *,
    encoder: Encoder,
    store: ImageStore,
    limits: Limits,
    sampling: Sampling | None = None,
) -> tuple[ReasoningGraph, Origin]:
    """A graph of the catalogue, compiled, and what its episodes are made by; limits and sampling where it takes them.

    Raises LookupError for an unknown name.
    """
    known = graphs()
    if name not in known:
        raise LookupError(f"Got the graph {name!r}, expected one of {', '.join(known)}.")
    build = known[name].build
    optional = {"limits": limits, "sampling": sampling or Sampling(temperature=0.0)}
    taken = {key: value for key, value in optional.items() if key in signature(build).parameters}
    return build(policy, tools, encoder=encoder, store=store, **taken), origin_of(known[name], tools)


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
