"""One graph, with what a column needs to run it: a question of two images, tools, and the parts of a run.

A column is a module of rl/features/columns with one function `prove(case)`. It runs the feature on the graph and
returns None; or says why no graph of that shape can have it, which it has proved as well; or raises what went wrong.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.encoder import Encoder
from agent.limits import Limits
from agent.policies.policy import Policy, Sampling
from agent.question import Overrides
from rl.check_graph.episodes import questions
from rl.config import Config
from rl.features.server import CHECKPOINT, CONTEXT, Server
from rl.features.willing import Willing
from rl.graph import OpenGraph, open_graph
from rl.rollout import RunParts, opened
from rl.tasks.task import Task
from tools.images.store import ImageStore
from tools.registry import load_tools

TURN_TOKENS = 256
TOOLS = ("zoom_in", "measure_distance")
WARM = Sampling(temperature=1.0)
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

    encoder: Encoder
    store: ImageStore
    task: Task
    folder: Path
    running: Server | None = None

    @property
    def server(self) -> Server:
        """The vLLM server. Raises LookupError where none was started."""
        if self.running is None:
            raise LookupError("Got no vLLM server, expected one for this column: `Shared.with_server`.")
        return self.running

    def with_server(self, server: Server) -> "Shared":
        """The same with a server."""
        return replace(self, running=server)

    @classmethod
    def opened(cls, folder: Path) -> "Shared":
        """The embedded policy's encoder, and a phantom question whose answer is known, of two images."""
        store = ImageStore(folder / "images")
        drawn = questions(store, 8, 2, seed=0)
        task = next(each for each in drawn if each.grader in ("exact", "choice", "closed"))
        return cls(Encoder.from_checkpoint(CHECKPOINT), store, task, folder)

    @classmethod
    def elsewhere(cls, images: Path) -> "Shared":
        """The same over the images that another process has put into a folder; nothing is to be asked anew."""
        nothing = Task("none", "none", "", (), "", "exact")
        return cls(Encoder.from_checkpoint(CHECKPOINT), ImageStore(images), nothing, images.parent)


@dataclass(frozen=True)
class Case:
    """A graph in a column."""

    graph: str
    """As graphs/loading.py finds it."""
    shared: Shared
    folder: Path
    """The cell's own."""

    @property
    def task(self) -> Task:
        """What is asked."""
        return self.shared.task

    def willing(self, **how: Any) -> Willing:
        """A policy that answers rightly."""
        options: dict[str, Any] = {"answer": self.task.answer, **how}
        return Willing(self.shared.encoder, **options)

    def parts(self, tools: Any = None, **sections: Any) -> RunParts:
        """A run of the graph; `sections` are of its config."""
        episode = {"context": CONTEXT, "turn_tokens": TURN_TOKENS}
        config = Config.model_validate({"name": "features", "graph": self.graph, "episode": episode, **sections})
        held = load_tools(list(TOOLS)) if tools is None else tools
        return opened(config, self.shared.encoder, self.shared.store, held)

    def opened(self, policy: Policy, checkpointer: BaseCheckpointSaver[Any], tools: Any = None) -> OpenGraph:
        """The graph as an application runs it, with threads."""
        shared, limits = self.shared, Limits(context=CONTEXT)
        parts: dict[str, Any] = {"encoder": shared.encoder, "store": shared.store, "limits": limits}
        held = load_tools(list(TOOLS)) if tools is None else tools
        found = open_graph(self.graph, policy, held, **parts, sampling=WARM, checkpointer=checkpointer)
        return replace(found, graph=found.graph.copy({"checkpointer": checkpointer}))

    async def play(self, policy: Policy, tools: Any = None, **sections: Any) -> Any:
        """The final state of one episode."""
        return await self.parts(tools, **sections).ask(self.task, Overrides(policy, WARM))
