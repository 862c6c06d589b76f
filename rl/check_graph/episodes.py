"""The episodes of a check: phantom tasks asked of the graph on a vLLM server, as training would ask them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL.Image import Image

from agent.chat.loading import family_in
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.served import ServedPolicy
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from agent.serving.versions import LiveVersions
from graphs.app.default_checkpoint import open_checkpoint
from rl.check_graph.alignment import EpisodeReport, check_episode
from rl.config import Config
from rl.rollout.run_parts import open_parts, sampling_of
from rl.tasks.sets import iterate_tasks
from rl.tasks.task import Task
from rl.training.exactness import Replay
from tools.images.store import ImageStore

SPLIT = "validation"


@dataclass
class Watched:
    """A policy for one episode that notes its completions."""

    policy: Policy
    completions: list[Completion] = field(default_factory=list[Completion])

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The policy's completion."""
        completion = await self.policy.generate(token_ids, images, sampling)
        self.completions.append(completion)
        return completion


async def check_episodes(
    config: Config, episodes: int, images: int, checkpoint: Path, server: str | None, folder: Path
) -> list[EpisodeReport]:
    """The reports of `episodes` episodes of the configuration's graph, sampled as in reinforcement learning.

    `server`: the URL of one that runs already; None starts one. `folder` holds the images meanwhile. Raises what
    loading, serving and the graph raise.
    """
    family = family_in(checkpoint)
    store = ImageStore(folder / "images")
    parts = open_parts(config, family, store)
    sampling = sampling_of(config)
    tasks = questions(store, episodes, images, config.seed)
    async with policy_of(config, checkpoint, server, folder) as policy:
        asked = [Watched(policy) for _ in tasks]
        states = await asyncio.gather(
            *(parts.ask(task, parts.episode(each, sampling)) for task, each in zip(tasks, asked, strict=True))
        )
    replay = Replay(checkpoint, family, sampling.temperature)
    return [
        check_episode(number, state, each.completions, parts, replay)
        for number, (state, each) in enumerate(zip(states, asked, strict=True), start=1)
    ]


def questions(store: ImageStore, count: int, images: int, seed: int) -> list[Task]:
    """Phantom tasks; with several `images`, each shows those of as many tasks, its own first."""
    drawn = list(iterate_tasks("phantoms", store, SPLIT, count * images, seed))
    groups = [drawn[at : at + images] for at in range(0, len(drawn), images)]
    return [replace(group[0], images=tuple(image for each in group for image in each.images)) for group in groups]


@asynccontextmanager
async def policy_of(config: Config, checkpoint: Path, server: str | None, folder: Path) -> AsyncGenerator[Policy, None]:
    """The policy on a server that runs already, or on one that is started and stopped here."""
    found = open_checkpoint(checkpoint)
    if server is not None:
        yield ServedPolicy(server, LiveVersions(found.version))
        return
    options = ServerOptions(
        max_model_len=config.episode.context,
        max_num_seqs=config.serving.max_num_seqs,
        extra_arguments=config.serving.extra_arguments,
    )
    async with VLLMServer(found, options, log=folder / "vllm.log") as started:
        yield ServedPolicy(started.base_url, started.versions)
