"""An episode's record: which tokens a conversation is made of, and which of them the policy sampled.

The record is a tree (agent/chat/record/tree.py). A history is found again in it by what its messages say and, for
turns, by the id of their sample; so it may be copied, stored, replayed, forked, cut or summarised. A turn that says
something else than was sampled, or that cannot be told from its like, is rendered as a prompt: it is never trained. A
turn that is quoted behind another history keeps its ids, masked.

A fork is a second episode of the same graph from its start. Where it asks what its parent asked, it is given what its
parent sampled, so it comes to the turn that it forks at as its parent did, whatever the graph is; from there it is new.
Parallel calls are told apart by who makes them, and in the order in which they are made. What a fork inherits it never
trains. A graph that takes another course the second time is a fresh episode from there.
"""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

from agent.chat.families.family import Family
from agent.chat.families.template import Tool
from agent.chat.messages import SAMPLE_PREFIX, ContentCache, MessageContent, arguments_text
from agent.chat.record.forking import Continued, Replayed
from agent.chat.record.ledger import agrees
from agent.chat.record.policy_calls import Pick, PolicyCall, unguided
from agent.chat.record.positions import Position, Turn
from agent.chat.record.rows import Row, row
from agent.chat.record.sample_store import SampleStore
from agent.chat.record.tree import Tree
from agent.encoder import Sized
from agent.policies.policy import Completion, Policy, Sampling
from tools.calls import ToolCall, ToolResult

CONFIG_KEY = "episode"
"""Where `config["configurable"]` may carry an episode."""


class Episode:
    """Records the calls of one episode; use it as a context manager around a graph's run.

    `policy` and `sampling` take the place of the chat model's own in this episode; what a run's config or a call asks
    for goes before this sampling, and is then not trained where it is another distribution. `keep` bounds how many
    turns are remembered (for a server that runs for long). With `samples` each turn is kept there before it is said,
    and what is not remembered is looked for; without, it is rendered as a prompt when it comes again.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        sampling: Sampling | None = None,
        keep: int | None = None,
        samples: SampleStore | None = None,
    ) -> None:
        self.policy = policy
        self.sampling = sampling
        self.keep = keep
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop that the episode runs in, for policies that belong to one."""
        self.sayings = ContentCache()
        """What the messages of this episode say."""
        self.results: list[dict[str, Any]] = []
        """What the medical tools gave that ran in it (agent/chat/tools.py), as JSON."""
        self.given_up: list[Turn] = []
        """What was sampled before the episode was begun anew."""
        self._results: dict[object, ToolResult] = {}
        self._results_before: dict[object, ToolResult] = {}
        self._samples = samples
        self._tree = Tree(samples)
        self._lock = threading.RLock()
        self._ahead: dict[int, list[Turn]] = {}
        """What a fork's parent sampled at a position, and the fork has not come to."""
        self._forked: tuple[str, int] = "", 0
        """The sample that it goes on with, and how many of its ids are kept."""
        self._turns: dict[str, Turn] = {}
        """What was said in this episode."""
        self._own: set[str] = set()
        self._asked: list[str] = []
        """The samples of its calls, in the order in which they were begun."""

    @property
    def keeps_samples(self) -> bool:
        """Whether its turns are written to a disk."""
        return self._samples is not None

    def fork(self, turn: Turn, kept: int) -> "Episode":
        """An episode that goes the same way up to `turn`, keeps the first `kept` of its ids and is sampled from there.

        Ask the same graph the same in it, from the start. `turn` is one of `turns`; policy and sampling are this
        episode's until others are set. Raises ValueError.
        """
        sample = turn.call.sample
        if self._turns.get(sample) is not turn:
            raise ValueError(f"Got the turn {sample}, expected one of this episode's `turns`.")
        length = len(turn.completion.token_ids)
        if not 0 <= kept < length:
            raise ValueError(f"Got {kept} ids to keep, expected 0 to {length - 1}: the turn has {length}.")
        fork = Episode(self.policy, self.sampling, samples=self._samples)
        with self._lock:
            fork._tree = self._tree.fork()
            fork._forked = sample, kept
            fork._results_before = {**self._results_before, **self._results}
            for each in self._asked:
                if (made := self._turns.get(each)) is not None:
                    fork._ahead.setdefault(made.context.number, []).append(made)
        return fork

    def begin_anew(self) -> None:
        """Gives up all that was sampled so far: the graph is asked again from its start, and nothing of it trains."""
        self.given_up += self.own
        self.results.clear()
        self._ahead.clear()
        self._forget()

    @contextmanager
    def recording(self) -> Generator["Episode"]:
        """Records every call of the chat model in this context: its tasks and LangGraph's threads included."""
        with suppress(RuntimeError):
            self.loop = asyncio.get_running_loop()
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def locate(
        self,
        history: Sequence[tuple[MessageContent, str | None]],
        family: Family,
        tools: Sequence[Tool],
        image: Callable[[str], Sized],
    ) -> Position:
        """As `Tree.locate`."""
        return self._tree.locate(history, family, tools, image)

    def begin(self, at: Position, call: PolicyCall, policy: Policy) -> tuple[PolicyCall, Policy]:
        """A call at a position, and the policy that answers it: `policy`, unless a fork's parent has been here."""
        with self._lock:
            ahead = self._ahead.get(at.number, [])
            before = next((turn for turn in ahead if _caller(turn.call) == _caller(call)), None)
            if before is not None:
                ahead.remove(before)
                if before.call.sample == self._forked[0]:
                    policy = Continued(policy, before, self._forked[1])
                else:
                    call, policy = before.call, Replayed(before)
            self._asked.append(call.sample)
        return call, policy

    def record(
        self,
        at: Position,
        completion: Completion,
        said: MessageContent,
        call: PolicyCall,
        malformed: bool = False,
        policy: Policy | None = None,
    ) -> None:
        """Notes what was sampled at a position; `malformed` where it could not be read.

        `call` and `policy` are those of `begin`. Raises LedgerError if the policy counted another prompt than stands
        here, or gave no log-probability for an id.
        """
        if isinstance(policy, Replayed):
            turn = policy.turn
        else:
            agrees(at.length, completion)
            turn = Turn(call, said, completion, at, malformed, policy.kept if isinstance(policy, Continued) else 0)
            if self._samples is not None:
                self._samples.put(turn)
        with self._lock:
            if self.keep is not None and len(self._tree) >= self.keep:
                self._forget()
            if not isinstance(policy, Replayed):
                self._own.add(call.sample)
            self._turns[call.sample] = turn
            self._tree.add(turn)

    def _forget(self) -> None:
        for each in (self._tree, self.sayings):
            each.forget()
        for kept in (self._turns, self._own, self._asked):
            kept.clear()

    def note_result(self, result: ToolResult, images: Sequence[str]) -> None:
        """Notes what a call of a tool over the conversation's `images` gave."""
        self.results.append(result.model_dump(mode="json"))
        if result.status == "ok":
            self._results.setdefault(_asked_of(result.call, images), result)

    def known_result(self, call: ToolCall, images: Sequence[str]) -> ToolResult | None:
        """What the same call over the same images gave in the episode that this one is a fork of; None where none was.

        Note it again with `note_result`: it is part of this episode too.
        """
        return self._results_before.get(_asked_of(call, images))

    def prompt(self, at: Position) -> tuple[list[int], list[str]]:
        """The ids up to a position as engines take them, and the ids of their images."""
        ids: list[int] = []
        images: list[str] = []
        for position in at.path():
            ids.extend(position.tokens.prompt)
            images.extend(position.images)
        return ids, images

    def rows(self, pick: Pick = unguided) -> list[Row]:
        """The rows of the picked calls among `own`, in the order in which their last calls were made."""
        turns = self.turns
        picked = {turn.call.sample for turn in self.own if pick(turn.call)}
        behind = set[str]()
        for turn in turns:
            for sample in _sampled_before(turn):
                if sample in behind:
                    break  # and so are those before it
                behind.add(sample)
        rows: list[Row] = []
        for turn in turns:
            if turn.call.sample in behind:
                continue
            made = row(self._tree.behind(turn.context, turn), picked)
            if made is not None:
                picked -= {call.sample for call in made.calls}
                rows.append(made)
        return rows

    @property
    def faults(self) -> int:
        """Turns that could not be read."""
        return sum(turn.malformed for turn in self._turns.values())

    @property
    def turns(self) -> list[Turn]:
        """What the policy said in this episode, in the order in which it ended; a fork's inherited turns included."""
        return list(self._turns.values())

    @property
    def own(self) -> list[Turn]:
        """Those of `turns` that were sampled in this episode: all, but in a fork."""
        return [turn for turn in self._turns.values() if turn.call.sample in self._own]


_current: ContextVar[Episode | None] = ContextVar("medvista_episode", default=None)


def current_episode(configurable: Mapping[str, Any], otherwise: Episode) -> Episode:
    """The episode that records here: that of the context, else that of the config, else `otherwise`."""
    episode = _current.get()
    if episode is not None:
        return episode
    configured: object = configurable.get(CONFIG_KEY)
    return configured if isinstance(configured, Episode) else otherwise


def recording_episode() -> Episode | None:
    """The episode that records in this context; None where none does."""
    return _current.get()


def new_sample() -> str:
    """An id for what is about to be sampled."""
    return f"{SAMPLE_PREFIX}{uuid4().hex}"


def _caller(call: PolicyCall) -> object:
    return call.node, call.namespace, call.guided


def _asked_of(call: ToolCall, images: Sequence[str]) -> object:
    return call.name, arguments_text(call.arguments), tuple(images)


def _sampled_before(turn: Turn) -> Iterator[str]:
    """The samples in the history that `turn` was sampled behind, the last first."""
    at: Position | None = turn.context
    while at is not None:
        if at.turn is not None and at.sampled:
            yield at.turn.call.sample
        at = at.parent
