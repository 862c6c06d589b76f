"""A run's episodes: its config, family, store and graph, opened from its folder, and many tasks asked at once.

The same few lines open a run in the main process, in evaluation and inside OpenRLHF's rollout actor, so that what is
served, trained and measured is one graph.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from langchain_core.tools import BaseTool

from agent.chat.base import ImageChatModel
from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.chat.record.episode import Episode
from agent.chat.record.ledger import Ledger
from agent.limits import Limits
from agent.policies.policy import Policy, Sampling
from agent.question import Question
from graphs.app.chat_model import chat_model
from rl import config as configuration
from rl.config import Config, load_config
from rl.rewards.compose import score
from rl.rollout.episode import EpisodeRunner
from rl.rollout.graph import open_graph, pick_of
from rl.rollout.schedule import Job, run_jobs
from rl.tasks.task import Task
from rl.trajectories.check import RefusedError, TrainingRow, training_row
from rl.trajectories.finished_episode import FinishedEpisode
from rl.trajectories.origin import Origin
from rl.trajectories.record import UNKNOWN, Trajectory, record
from tools.images.store import ImageStore
from tools.registry import family_of, load_tools
from tools.run.process import isolated
from tools.run.ray import on_ray
from tools.run.wrapper import only
from tools.toolbox import Toolbox

CONFIG = "config.yaml"
IMAGES = "images"


@dataclass(frozen=True)
class RunParts:
    """What episodes of a run share."""

    config: Config
    family: Family
    store: ImageStore
    limits: Limits
    runner: EpisodeRunner
    """Asks the graph."""
    origin: Origin = UNKNOWN

    def episode(self, policy: Policy | None, sampling: Sampling | None = None) -> Episode:
        """An episode that `policy` samples (None: the graph's own model); without `sampling`, greedily."""
        asked = sampling or Sampling(temperature=0.0)
        return Episode(policy, replace(asked, max_tokens=self.limits.turn_tokens))

    async def ask(self, task: Task, episode: Episode, deadline_s: float | None = None) -> FinishedEpisode:
        """What an episode of `task` leaves, and how it ended (rl/rollout/endings.py): as far as it came.

        Raises PolicyError where the policy is lost.
        """
        return await self.runner.ask(Question(images=list(task.images), question=task.question), episode, deadline_s)

    def training_rows(self, state: FinishedEpisode) -> list[TrainingRow]:
        """The rows of an episode, checked. Raises RefusedError."""
        ledgers = list(map(Ledger.from_plain, state["rows"]))
        if (longest := max(map(len, ledgers))) > self.limits.context:
            raise RefusedError(
                f"Trajectory refused: a row has {longest} ids, expected at most episode.context={self.limits.context}: "
                "does the graph use the model that it is given?"
            )
        idle = len(ledgers) == 1 and bool(ledgers[0].ids) and not ledgers[0].sampled
        return [training_row(each, self.family, self.store, idle=idle) for each in ledgers]

    async def play(self, job: Job, policy: Policy | None, stage: str, sampling: Sampling | None = None) -> Trajectory:
        """One scored episode. Raises PolicyError where the policy is lost, UnscoredError where a tool or graph had a
        bug."""
        started = time.perf_counter()
        if sampling is not None and job.seed is not None:
            sampling = replace(sampling, seed=job.seed)
        state = await self.ask(job.task, self.episode(policy, sampling), job.deadline_s)
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
    return Sampling(temperature=config.rl.temperature)


def toolbox(config: Config) -> Toolbox:
    """The run's tools, each where the configuration has it run."""
    episode = config.episode
    tools = load_tools(list(episode.tools))

    def of(named: str) -> list[str]:
        return [tool.name for tool in tools if named in (tool.name, family_of(tool))]

    apart = [
        only(of(named), isolated(each.processes, each.memory_gb and each.memory_gb * 2**30))
        for named, each in episode.isolated.items()
    ]
    far = [only(of(named), on_ray(each.actors, **each.options)) for named, each in episode.on_ray.items()]
    return Toolbox(tools, deadline_s=episode.deadline_s, wrappers=[*apart, *far])


def embedded_tools() -> Toolbox:
    """The tools that the embedded base is taught to write calls for."""
    return Toolbox(load_tools(list(configuration.Episode().tools)))


def open_run(run: Path, tools: bool = True, graph: str | None = None) -> RunParts:
    """The parts of the run in a folder; `tools=False` for an agent that has none, `graph` for another than the run's.

    Raises GraphError.
    """
    config = load_config(run / CONFIG)
    config = config.model_copy(update={"graph": graph or config.graph})
    family = family_in(run / "checkpoints" / "base")
    return open_parts(config, family, ImageStore(run / IMAGES), toolbox(config) if tools else Toolbox(()))


def open_parts(
    config: Config,
    family: Family,
    store: ImageStore,
    tools: Toolbox | Sequence[BaseTool] | None = None,
    policy: Policy | None = None,
    model: ImageChatModel | None = None,
) -> RunParts:
    """The parts of a configuration, over a family, a store and tools (None: the configuration's).

    `policy` answers where an episode brings none; `model` takes the place of our own chat model. Raises GraphError.
    """
    limits = Limits(config.episode.turns, config.episode.turn_tokens, config.episode.context)
    held = toolbox(config) if tools is None else tools
    found = open_graph(config.graph, model or chat_model(policy, family, store, limits), held, limits.turns)
    pick = pick_of(config.rl.trained_calls)
    runner = EpisodeRunner(found.graph, found.adapter, store, limits, pick, found.origin.graph)
    return RunParts(config, family, store, limits, runner, found.origin)


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

    async for finished in run_jobs(map(Job, tasks), ask, concurrency, lost=()):
        if isinstance(finished, Trajectory):
            yield finished
