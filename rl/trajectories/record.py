"""One finished episode as plain data: what was asked, said, seen, called, answered, and what it earned.

Its rows are kept whole (ids, sampled ranges, log-probabilities, versions, image spans), images by their id in the
store, so an episode can be trained on, replayed and shown again exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode
from rl.trajectories.origin import Origin

UNKNOWN = Origin()


@dataclass(frozen=True)
class Trajectory:
    """One episode."""

    id: str
    """Unique in a stage. An episode that is sampled anew has the id of the one it replaces."""
    stage: str
    """Which part of a run made it: warmup, rl, or the name of an evaluation condition."""
    task: dict[str, Any]
    """The task as plain data (Task.to_plain): id, kind, question, images, answer, regions, ..."""
    answer: str | None
    outcome: str
    images: list[str]
    """Store ids in order of appearance: the task's first, then every sub-image."""
    rows: list[dict[str, Any]]
    """Its training rows, each a ledger (agent/chat/record/ledger.py) as plain data: what was sampled trains in one."""
    transcript: list[dict[str, Any]]
    """{"role": "user" | "policy" | "tools", "text", "images"} in order."""
    calls: list[dict[str, Any]]
    """ToolResult of every call as JSON: call {name, arguments}, status, text, images, regions, seconds, version, ..."""
    turns: int
    faults: int
    """Turns that the protocol could not read."""
    rewards: dict[str, float]
    """Each component by name."""
    reward: float
    seconds: float
    seed: int | None = None
    """Of its sampling; of the whole run, where the engine draws all episodes from one random stream."""
    versions: list[str] = field(default_factory=list[str])
    """Policy versions that sampled it, in order."""
    forked: bool = False
    """Whether it began as another episode of its task did; what that one sampled is masked here, and trained there."""
    sample: int = 0
    """Which of several episodes of its task it is, from 0."""
    step: int | None = None
    """In reinforcement learning: how many steps the weights had been trained for when its sampling began."""
    graph: str = ""
    graph_version: str = ""
    """See rl/trajectories/origin.py."""
    tools: dict[str, str] = field(default_factory=dict[str, str])
    """Version by name of every tool in the prompt."""
    untrained: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """As `rows`, of the calls that are not to be trained: with these it can be replayed whole."""

    @property
    def correct(self) -> bool:
        """Whether the answer was right."""
        return self.rewards["answer"] == 1.0

    def to_plain(self) -> dict[str, Any]:
        """JSON values only, shared with the trajectory: copy before changing any."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Trajectory":
        """The trajectory that `to_plain` wrote."""
        return cls(**plain)


def record(
    id: str,
    stage: str,
    task: Task,
    state: FinishedEpisode,
    rewards: Mapping[str, float],
    reward: float,
    seconds: float,
    seed: int | None = None,
    origin: Origin = UNKNOWN,
    sample: int = 0,
    forked: bool = False,
    step: int | None = None,
) -> Trajectory:
    """The trajectory of an episode from its graph's final state."""
    return Trajectory(
        id=id,
        stage=stage,
        task=task.to_plain(),
        answer=state["answer"],
        outcome=str(state["outcome"]),
        images=list(state["images"]),
        rows=state["rows"],
        untrained=state["untrained"],
        transcript=[dict(message) for message in state["transcript"]],
        calls=list(state["calls"]),
        turns=state["turns"],
        faults=state["faults"],
        rewards=dict(rewards),
        reward=reward,
        seconds=seconds,
        seed=seed,
        versions=list(state["versions"]),
        forked=forked,
        sample=sample,
        step=step,
        graph=origin.graph,
        graph_version=origin.graph_version,
        tools=dict(origin.tools),
    )
