"""Episodes of one task for training, each sampled until it is sound enough.

Refused are episodes whose tokens the engine counted differently, whose trajectory fails the check, in which a tool or
the graph had a bug or a turn was broken off. One is sampled again in its place; if that keeps happening the run stops,
because a pipeline that misaligns tokens must not train.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from agent.chat.record.episode import Episode
from agent.chat.record.ledger import LedgerError
from agent.policies.policy import Policy, PolicyError, Sampling
from rl.rewards.compose import UnscoredError, check_scorable
from rl.rollout.evr import Branching, Call
from rl.rollout.groups import calls_of_episode
from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.training.trainers.find import find_trainer
from rl.trajectories.check import RefusedError, TrainingRow
from rl.trajectories.finished_episode import FinishedEpisode

REFUSED = (RefusedError, LedgerError, UnscoredError, PolicyError)
"""Why an episode may be refused: the check, a prompt that the engine counted differently, a bug in a tool or in the
graph, a turn that the engine broke off."""


@dataclass(frozen=True)
class SoundEpisode:
    """An episode that may train."""

    state: FinishedEpisode
    episode: Episode
    rows: list[TrainingRow]
    forked: bool
    seconds: float


@dataclass
class SoundEpisodes:
    """Samples episodes of `task`."""

    run: RunParts
    task: Task
    policy: Policy
    sampling: Sampling
    refused: Callable[[Task, Exception], None]
    """Notes why an episode was refused."""

    async def fresh(self) -> SoundEpisode:
        """An episode from the beginning. Raises RefusedError where too many were refused in a row, ConfigError where it
        has more rows than the trainer takes."""
        return await self._sound(lambda: self.run.episode(self.policy, self.sampling), forked=False)

    async def fork(self, parent: SoundEpisode, call: Call) -> SoundEpisode:
        """An episode that shares all that came before the arguments of a call of `parent`'s."""
        return await self._sound(lambda: parent.episode.fork(call.turn, call.position), forked=True)

    def calls(self, branching: Branching | None) -> Callable[[SoundEpisode], list[Call]]:
        """What `sample_group` asks for an episode's calls."""
        encoder = self.run.family
        return lambda each: calls_of_episode(each.episode, encoder, branching) if branching else []

    async def _sound(self, begun: Callable[[], Episode], forked: bool) -> SoundEpisode:
        most, last = self.run.config.rl.refusals, ""
        trainer = find_trainer(self.run.config.rl.trainer)
        for _ in range(most):
            started = time.perf_counter()
            try:
                state = await self.run.ask(self.task, episode := begun())
                check_scorable(self.task, state)
                trainer.check_rows(self.run.config, len(state["rows"]))
                rows = self.run.training_rows(state)
            except REFUSED as reason:
                self.refused(self.task, reason)
                last = str(reason)
                continue
            return SoundEpisode(state, episode, rows, forked, time.perf_counter() - started)
        raise RefusedError(
            f"{most} trajectories of {self.task.id} were refused in a row; trajectories/refused.jsonl says why. "
            f"The last: {last}"
        )
