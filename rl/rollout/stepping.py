"""Episodes whose turns come from outside, one call of the policy at a time.

An episode runs as training runs it (rl/rollout/run_parts.py), whatever its graph does; only its policy is somebody who
says the next turn. A graph may call the policy several times at once: the calls wait side by side, and are handed out
one after the other, in the order in which they came. The episode runs in an event loop of its own thread, so that a
caller needs none and may have one.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from threading import Thread
from typing import Any

from PIL.Image import Image

from agent.chat.families.family import Family
from agent.chat.record.episode import Episode
from agent.chat.record.policy_calls import PolicyCall
from agent.chat.record.positions import Position
from agent.policies.policy import Completion, Policy, PolicyError, Sampling
from agent.policies.scripted import ScriptedPolicy
from graphs.app.loading import GraphError
from rl.rollout.run_parts import RunParts, sampling_of
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode

GivenTurn = str | Completion
"""A turn: its text, or exactly what a policy sampled."""


@dataclass(eq=False)
class AwaitedTurn:
    """A call of the policy that waits for its turn, and the policy that writes what is said."""

    call: PolicyCall
    """Who calls."""
    at: Position
    """Behind what it is to speak."""
    token_ids: Sequence[int]
    """The prompt, with one placeholder for each image."""
    images: Sequence[str]
    """Ids of the prompt's images, in order."""
    queue: "SimpleQueue[AwaitedTurn | None]"
    """Where it waits to be handed out."""
    family: Family
    structure: str | None = None
    """The grammar that holds the turn (a structural tag, as JSON), if any."""
    said: "Future[GivenTurn]" = field(default_factory=Future[GivenTurn])

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The turn that is said; text is encoded as a script's is."""
        self.structure = sampling.structure
        self.queue.put(self)
        turn = await asyncio.wrap_future(self.said)
        if isinstance(turn, Completion):
            return turn
        text = self.family.plain_turn(turn)
        return await ScriptedPolicy(lambda _, __: text, self.family).generate(token_ids, images, sampling)


class _Spoken(Episode):
    """An episode in which every call of the policy waits to be answered."""

    def __init__(self, family: Family, sampling: Sampling) -> None:
        super().__init__(ScriptedPolicy([], family), sampling)  # is never asked: each call has a policy of its own
        self.family = family
        self.queue: SimpleQueue[AwaitedTurn | None] = SimpleQueue()
        """None: it has ended."""
        self.wanted: list[AwaitedTurn] = []
        self.over = False

    def begin(self, at: Position, call: PolicyCall, policy: Policy) -> tuple[PolicyCall, Policy]:
        """The call, and a policy that waits. Raises PolicyError where the episode was ended from outside."""
        call, _ = super().begin(at, call, policy)
        self.wanted.append(wanted := AwaitedTurn(call, at, *self.prompt(at), self.queue, self.family))
        if self.over:  # looked at last: another thread may end it at any time
            raise PolicyError("The episode was ended while its graph went on; begin another one.")
        return call, wanted


class SteppedEpisode:
    """Episodes, one after the other. Close it, or its thread stays."""

    def __init__(self, parts: RunParts) -> None:
        self._parts = parts
        parts.runner.with_threads()  # an episode that began anew at a pause would ask again what was answered
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="medvista-dialogue", daemon=True)
        self._thread.start()
        self._episode = self._new()
        self._run: asyncio.Task[FinishedEpisode] | None = None
        self._wanted: AwaitedTurn | None = None

    def begin(self, task: Task) -> AwaitedTurn:
        """Starts an episode (ending one that goes on); the first call of its policy.

        Raises what the episode raises, GraphError where it ends without one.
        """
        self._end()
        self._episode = self._new()
        self._run = self._in_loop(self._begin(task))
        first = self._next()
        if isinstance(first, AwaitedTurn):
            return first
        why = "without asking its policy, expected one turn at least: does it use the model that it is given?"
        if first["bug"]:
            why = f"before its policy was asked, by a bug: {first['bug']}. Mend it there."
        elif first["outcome"] == "context_full":
            why = "before its policy was asked: the first prompt does not fit, raise `context`."
        raise GraphError(f"Got an episode of {task.id} whose graph ended {why}")

    def say(self, turn: GivenTurn) -> AwaitedTurn | FinishedEpisode:
        """Answers the call that was handed out last; the next one, or how the episode ended.

        Raises what the episode raises, RuntimeError where none goes on.
        """
        if self._wanted is None:
            raise RuntimeError("Got a turn, but no episode goes on; begin one first.")
        if self._wanted.said.set_running_or_notify_cancel():
            self._wanted.said.set_result(turn)
        return self._next()

    def close(self) -> None:
        """Ends the episode, and the threads."""
        if self._thread.is_alive():
            self._end()
            self._in_loop(self._loop.shutdown_default_executor())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _new(self) -> _Spoken:
        sampling = replace(sampling_of(self._parts.config), max_tokens=self._parts.limits.turn_tokens)
        return _Spoken(self._parts.family, sampling)

    def _in_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _begin(self, task: Task) -> "asyncio.Task[FinishedEpisode]":
        episode = self._episode
        run = asyncio.ensure_future(self._parts.ask(task, episode))
        run.add_done_callback(lambda _: episode.queue.put(None))
        return run

    def _next(self) -> AwaitedTurn | FinishedEpisode:
        assert self._run is not None
        while (wanted := self._episode.queue.get()) is not None and wanted.said.cancelled():
            pass  # its node was stopped: another one beside it has failed
        self._wanted = wanted
        return wanted or self._run.result()

    def _end(self) -> None:
        self._wanted = None
        self._episode.over = True
        if self._run is not None and not self._run.done():
            self._in_loop(self._stopped(self._run))
        for each in self._episode.wanted:
            each.said.cancel()  # a node in a thread still waits for it

    async def _stopped(self, run: "asyncio.Task[FinishedEpisode]") -> None:
        run.cancel()
        await asyncio.wait([run])
