"""One graph, with what a column needs to run it: a question of two images, tools, and the parts of a run.

A column is a module of rl/features/columns with one function `prove(case)`. It runs the feature on the graph and
returns None; or says why no graph of that shape can have it, which it has proved as well; or raises what went wrong.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from agent.chat.base import ImageChatModel
from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.chat.model import PolicyChatModel
from agent.chat.record.episode import Episode
from agent.policies.policy import Policy, Sampling
from agent.question import Question
from rl.check_graph.episodes import questions
from rl.config import Config
from rl.features.reading_policy import ReadingPolicy
from rl.features.server import CHECKPOINT, CONTEXT, Server
from rl.features.threads import ended, run
from rl.rollout.graph import OpenGraph, open_graph
from rl.rollout.run_parts import RunParts, open_parts
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox

TURN_TOKENS = 256
TOOLS = ("zoom_in", "measure_distance")
WARM = Sampling(temperature=1.0, max_tokens=TURN_TOKENS)
NO_TOOLS = "it calls no tools"


class FeatureError(AssertionError):
    """A feature does not do on a graph what it promises; says what was got and what was expected."""


def expect(holds: object, got: str) -> None:
    """Raises FeatureError with `got` where something does not hold."""
    if not holds:
        raise FeatureError(got)


@dataclass(frozen=True)
class Shared:
    """What all cells share."""

    family: Family
    store: ImageStore
    task: Task
    folder: Path
    running: Server | None = None

    @classmethod
    def opened(cls, folder: Path) -> "Shared":
        """The embedded policy's family, and a phantom question of two images, whose answer is a word."""
        store = ImageStore(folder / "images")
        task = next(each for each in questions(store, 8, 2, seed=0) if each.grader == "exact")
        return cls(family_in(CHECKPOINT), store, task, folder)

    @property
    def server(self) -> Server:
        """The vLLM server. Raises LookupError where none was started."""
        if self.running is None:
            raise LookupError("Got no vLLM server, expected one for this column: `Shared.with_server`.")
        return self.running

    def with_server(self, server: Server) -> "Shared":
        """The same with a server."""
        return replace(self, running=server)


@dataclass(frozen=True)
class Case:
    """A graph in a column."""

    graph: str
    """As graphs/app/loading.py finds it."""
    shared: Shared
    folder: Path
    """The cell's own."""

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.shared.task

    def reading_policy(self, **how: Any) -> ReadingPolicy:
        """A policy that answers rightly."""
        options: dict[str, Any] = {"answer": self.task.answer, **how}
        return ReadingPolicy(self.shared.family, **options)

    def parts(self, tools: Toolbox | None = None, **rl: Any) -> RunParts:
        """A run of the graph; `rl` is of its config."""
        episode = {"context": CONTEXT, "turn_tokens": TURN_TOKENS, "tools": TOOLS}
        config = Config.model_validate({"name": "features", "graph": self.graph, "episode": episode, "rl": rl})
        return open_parts(config, self.shared.family, self.shared.store, tools)

    async def play(self, policy: Policy, tools: Toolbox | None = None, asked: Task | None = None) -> FinishedEpisode:
        """What one episode leaves, of `asked` (None: the case's task)."""
        parts = self.parts(tools)
        return await parts.ask(asked or self.task, parts.episode(policy, WARM))

    def model(self, policy: Policy) -> ImageChatModel:
        """A policy as a chat model."""
        return PolicyChatModel(
            policy=policy,
            family=self.shared.family,
            store=self.shared.store,
            temperature=WARM.temperature,
            max_tokens=TURN_TOKENS,
            context=CONTEXT,
        )

    def opened(
        self, model: ImageChatModel, threads: BaseCheckpointSaver[Any] | None = None, tools: Any = None
    ) -> OpenGraph:
        """The graph as an application runs it; without `threads` they are kept in memory."""
        found = open_graph(self.graph, model, load_tools(list(TOOLS)) if tools is None else tools, 6)
        return replace(found, graph=found.graph.copy({"checkpointer": threads or InMemorySaver()}))

    async def through(self, found: OpenGraph, episode: Episode | None = None, thread: str = "whole") -> None:
        """Asks the graph in a thread and runs it to its end. Raises FeatureError where it answers wrongly."""
        asked = Question(images=list(self.task.images), question=self.task.question)
        with (Episode() if episode is None else episode).recording():
            async for _ in run(found, thread, asked):
                pass
        await self.answered(found, thread)

    def without_tools(self, policy: ReadingPolicy, what: str = "") -> str:
        """Why what rests on calls is impossible. Raises FeatureError where the policy did call."""
        expect(not policy.called, f"Got {policy.called} calls written and none recorded.")
        return NO_TOOLS + what

    async def answered(self, found: OpenGraph, thread: str) -> None:
        """Raises FeatureError where a thread has ended with a wrong answer."""
        answer = await ended(found, thread)
        expect(answer == self.task.answer, f"Got the answer {answer!r}, expected {self.task.answer!r}.")
