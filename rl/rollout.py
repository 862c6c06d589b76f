"""A run's episodes: its config, encoder, store and graph, opened from its folder, and many tasks asked at once.

The same few lines open a run in the main process, in evaluation and inside OpenRLHF's rollout actor, so that what is
served, trained and measured is one graph.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import cast
from uuid import uuid4

from langchain_core.tools import BaseTool

from agent.encoder import Encoder
from agent.policies.policy import Policy, Sampling
from agent.turn import Agent, EpisodeState, Limits, Overrides, Question
from graphs import reasoning
from graphs.catalogue import graphs
from graphs.reasoning import ReasoningGraph, compile_reasoning, recursion_limit
from rl.config import Config, Episode, load_config
from rl.rewards.compose import score
from rl.tasks.task import Task
from rl.trajectories.origin import Origin, origin_of
from rl.trajectories.record import UNKNOWN, Trajectory, record
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox

Invoke = Callable[..., Awaitable[EpisodeState]]
CONFIG = "config.yaml"
IMAGES = "images"


class NoPolicy:
    """Stands where every episode brings its own policy."""

    async def generate(self, *_: object) -> object:
        """Raises: a policy must come with the episode."""
        raise LookupError("This graph was opened without a policy: give one in Overrides.")


@dataclass(frozen=True)
class RunParts:
    """What episodes of a run share."""

    config: Config
    encoder: Encoder
    store: ImageStore
    limits: Limits
    graph: ReasoningGraph
    origin: Origin = UNKNOWN

    async def ask(self, task: Task, overrides: Overrides) -> EpisodeState:
        """The final state of one episode of `task`."""
        question = Question(images=list(task.images), question=task.question)
        invoke = cast(Invoke, self.graph.ainvoke)  # pyright: ignore[reportUnknownMemberType]
        return await invoke(question, recursion_limit(self.limits), context=overrides)


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
        policy=policy or NoPolicy(),  # pyright: ignore[reportArgumentType]
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
    """Scored episodes of `tasks` as they finish, `concurrency` at a time."""
    gate = asyncio.Semaphore(concurrency)

    async def one(task: Task) -> Trajectory:
        async with gate:
            started = time.perf_counter()
            state = await parts.ask(task, Overrides(policy_for(task), sampling))
            reward, components = score(task, state, parts.config.rl.rewards)
            seconds = time.perf_counter() - started
            return record(uuid4().hex, stage, task, state, components, reward, seconds, origin=parts.origin)

    running = [asyncio.create_task(one(task)) for task in tasks]
    try:
        for finished in asyncio.as_completed(running):
            yield await finished
    finally:
        for left in running:
            left.cancel()
