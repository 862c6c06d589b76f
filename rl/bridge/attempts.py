"""Episodes of one task inside OpenRLHF's rollout actor, each sampled until it is sound enough to train.

Refused are episodes whose tokens the engine counted differently, whose trajectory fails the check, in which a tool or
the graph had a bug or a turn was broken off. One is sampled again in its place; if that keeps happening the run stops,
because a pipeline that misaligns tokens must not train.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

from langgraph.checkpoint.memory import InMemorySaver

from agent.ledger import LedgerError
from agent.policies.policy import PolicyError
from agent.question import Overrides, Question
from graphs.reasoning import recursion_limit
from rl.evr import Branching, Call
from rl.forks import Episode, fork, fresh
from rl.groups import calls_of_episode
from rl.rewards.compose import UnscoredError, check_scorable
from rl.rollout import RunParts
from rl.tasks.task import Task
from rl.trajectories.check import RefusedError, TrainingRow

REFUSED = (RefusedError, LedgerError, UnscoredError, PolicyError)
"""Why an episode may be refused: the check, a prompt that the engine counted differently, a bug in a tool or in the
graph, a turn that the engine broke off."""


@dataclass(frozen=True)
class Attempt:
    """An episode that may train."""

    episode: Episode
    rows: list[TrainingRow]
    """One of the reasoning graph's, one or several of another's."""
    seconds: float


@dataclass
class Attempts:
    """Samples episodes of `task`; `threads` keeps their checkpoints while they may be forked."""

    run: RunParts
    task: Task
    overrides: Overrides
    threads: InMemorySaver | None
    refused: Callable[[Task, Exception], None]
    """Notes why an episode was refused."""
    _opened: list[str] = field(default_factory=list[str])

    async def fresh(self) -> Attempt:
        """An episode from the beginning. Raises RefusedError where too many were refused in a row."""
        return await self._sound(self._fresh)

    async def fork(self, parent: Attempt, call: Call) -> Attempt:
        """An episode that shares all that came before the arguments of a call of `parent`'s."""

        async def again() -> Episode:
            limit = recursion_limit(self.run.limits)
            return await fork(self.run.graph, parent.episode, call.turn, call.position, self.overrides, limit)

        return await self._sound(again)

    def calls(self, branching: Branching | None) -> Callable[[Attempt], list[Call]]:
        """What `sample_group` asks for an attempt's calls."""
        return lambda each: calls_of_episode(each.episode, self.run.encoder, branching) if branching else []

    def forget(self) -> None:
        """Drops the checkpoints."""
        for thread in self._opened:
            if self.threads is not None:
                self.threads.delete_thread(thread)
        self._opened.clear()

    async def _fresh(self) -> Episode:
        if self.threads is None:
            return Episode(await self.run.ask(self.task, self.overrides), (), ())
        self._opened.append(uuid4().hex)
        question = Question(images=list(self.task.images), question=self.task.question)
        limit = recursion_limit(self.run.limits)
        return await fresh(self.run.graph, question, self.overrides, self._opened[-1], limit)

    async def _sound(self, sample: Callable[[], Awaitable[Episode]]) -> Attempt:
        most, last = self.run.config.rl.refusals, ""
        for _ in range(most):
            started = time.perf_counter()
            try:
                episode = await sample()
                check_scorable(self.task, episode.state)
                rows = self.run.training_rows(episode.state, episode.own_from)
            except REFUSED as reason:
                self.refused(self.task, reason)
                last = str(reason)
                continue
            return Attempt(episode, rows, time.perf_counter() - started)
        raise RefusedError(
            f"{most} trajectories of {self.task.id} were refused in a row; trajectories/refused.jsonl says why. "
            f"The last: {last}"
        )
