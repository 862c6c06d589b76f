"""An episode's record: which tokens a conversation is made of, and which of them the policy sampled.

The record is a tree. From a position, messages that no policy of ours sampled lead to the next (rendered once; the same
messages lead to the same position ever after), and each sample leads to one. A history is found again by what its
messages say and, for turns, by the id of their sample; so it may be copied, stored, replayed, forked, cut or
summarised. A turn that says something else than was sampled, or that cannot be told from its like, is rendered as a
prompt: it is never trained. A turn that is quoted behind another history keeps its ids, masked.

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

from agent.chat_model.calls import Pick, PolicyCall, unguided
from agent.chat_model.families.family import NOTHING, Before, Family, Tokens, after
from agent.chat_model.families.template import Tool
from agent.chat_model.forking import Continued, Replayed
from agent.chat_model.positions import Position, Turn
from agent.chat_model.rows import Row, row
from agent.chat_model.said import SAMPLE_PREFIX, Said, Sayings, arguments_text
from agent.encoder import Sized
from agent.ledger import agrees
from agent.policies.policy import Completion, Policy, Sampling
from tools.calls import ToolCall, ToolResult

CONFIG_KEY = "episode"
"""Where `config["configurable"]` may carry an episode."""


class Episode:
    """Records the calls of one episode; use it as a context manager around a graph's run.

    `policy` and `sampling` take the place of the chat model's own in this episode; what a run's config or a call asks
    for goes before this sampling, and is then not trained where it is another distribution. `keep` bounds how many
    turns are remembered (for a server that runs for long); what is forgotten is rendered as a prompt when it comes
    again.
    """

    def __init__(self, policy: Policy | None = None, sampling: Sampling | None = None, keep: int | None = None) -> None:
        self.policy = policy
        self.sampling = sampling
        self.keep = keep
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop that the episode runs in, for policies that belong to one."""
        self.sayings = Sayings()
        """What the messages of this episode say."""
        self.results: list[dict[str, Any]] = []
        """What the medical tools gave that ran in it (agent/chat_model/tools.py), as JSON."""
        self.given_up: list[Turn] = []
        """What was sampled before the episode was begun anew."""
        self._results: dict[object, ToolResult] = {}
        self._results_before: dict[object, ToolResult] = {}
        self._lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._root = Position(0, None, Tokens((), ()), (), NOTHING)
        self._count = 0
        self._positions: dict[object, Position] = {}
        self._known: dict[str, Turn] = {}
        """Whatever can be found again by the id of its sample."""
        self._turns: dict[str, Turn] = {}
        """What was said in this episode."""
        self._own: set[str] = set()
        self._asked: list[str] = []
        """The samples of its calls, in the order in which they were begun."""
        self._alike: dict[tuple[int, Said], list[Turn]] = {}
        self._ahead: dict[int, list[Turn]] = {}
        """What a fork's parent sampled at a position, and the fork has not come to."""
        self._forked: tuple[str, int] = "", 0
        """The sample that it goes on with, and how many of its ids are kept."""

    def __len__(self) -> int:
        return len(self._turns)

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
        fork = Episode(self.policy, self.sampling)
        with self._lock:
            fork._root, fork._count, fork._positions = self._root, self._count, dict(self._positions)
            fork._known = dict(self._known)
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
        self.sayings.forget()
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
        history: Sequence[tuple[Said, str | None]],
        family: Family,
        tools: Sequence[Tool],
        image: Callable[[str], Sized],
    ) -> Position:
        """The position behind a history of (what was said, id of the sample it carries), ready for the next turn.

        `image` gives an image by its id. Raises EncodingError for an image that cannot be shown, TemplateError for
        messages that the family's template refuses.
        """
        at, waiting = self._root, list[Said]()
        described = repr(tools)
        for said, sample in history:
            turn = self._turn_of(said, sample, at, waiting, described) if said.role == "assistant" else None
            if turn is None:
                waiting.append(said)
                continue
            if waiting or at.parent is None or at.turn is not None:
                at = self._rendered(at, waiting, described, family, tools, image)
            at, waiting = self._taken(at, turn), []
        return self._rendered(at, waiting, described, family, tools, image)

    def begin(self, at: Position, call: PolicyCall, policy: Policy) -> tuple[PolicyCall, Policy]:
        """A call at a position, and the policy that answers it: `policy`, unless a fork's parent has been here."""
        with self._lock:
            ahead = self._ahead.get(at.number, [])
            before = next((turn for turn in ahead if _caller(turn.call) == _caller(call)), None)
            if before is not None:
                ahead.remove(before)
                if before.call.sample == self._forked[0]:
                    policy = Continued(policy, before.completion, self._forked[1])
                else:
                    call, policy = before.call, Replayed(before.completion)
            self._asked.append(call.sample)
        return call, policy

    def record(
        self,
        at: Position,
        completion: Completion,
        said: Said,
        call: PolicyCall,
        malformed: bool = False,
        policy: Policy | None = None,
    ) -> None:
        """Notes what was sampled at a position; `malformed` where it could not be read.

        `call` and `policy` are those of `begin`. Raises LedgerError if the policy counted another prompt than stands
        here, or gave no log-probability for an id.
        """
        if not isinstance(policy, Replayed):
            agrees(at.length, completion)
            turn = Turn(call, said, completion, at, malformed, policy.kept if isinstance(policy, Continued) else 0)
        else:
            turn = self._known[call.sample]
        with self._lock:
            if self.keep is not None and len(self._turns) >= self.keep:
                self._forget()
                self.sayings.forget()
            if not isinstance(policy, Replayed):
                self._own.add(call.sample)
            self._known[call.sample] = self._turns[call.sample] = turn
            self._alike.setdefault((at.number, turn.said), []).append(turn)

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
            made = row(self._taken(turn.context, turn), picked)
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

    def _turn_of(
        self, said: Said, sample: str | None, at: Position, waiting: Sequence[Said], tools: str
    ) -> Turn | None:
        """The turn that a message is, if it is certain."""
        if sample is not None:
            turn = self._known.get(sample)
            return turn if turn is not None and turn.said == said else None
        if waiting or at.parent is None or at.turn is not None:
            found = self._positions.get(_key(at, waiting, tools))
            if found is None:
                return None
            at = found
        alike = self._alike.get((at.number, said), [])
        return alike[0] if len(alike) == 1 else None

    def _taken(self, at: Position, turn: Turn) -> Position:
        """The position behind a turn that stands at `at`."""
        key = (at.number, turn.call.sample)
        found = self._positions.get(key)
        if found is None:
            ids = tuple(turn.completion.token_ids)
            found = self._add(key, at, Tokens(ids, ids), (), after(at.before, turn.said), turn)
        return found

    def _rendered(
        self,
        at: Position,
        group: Sequence[Said],
        described: str,
        family: Family,
        tools: Sequence[Tool],
        image: Callable[[str], Sized],
    ) -> Position:
        """The position behind messages that nobody sampled, with the beginning of the policy's turn."""
        key = _key(at, group, described)
        found = self._positions.get(key)
        if found is not None:
            return found
        text = family.opening(group, tools) if at.parent is None else family.continuation(group, at.before)
        images = tuple(each for said in group for each in said.images)
        tokens = family.tokens(text, [image(each) for each in images])
        if at.turn is not None and at.tokens.ids[-1:] == tokens.ids[:1] == (family.end_of_turn,):
            tokens = tokens.without_first()
        before = at.before
        for said in group:
            before = after(before, said)
        return self._add(key, at, tokens, images, before, None)

    def _add(
        self, key: object, parent: Position, tokens: Tokens, images: tuple[str, ...], before: Before, turn: Turn | None
    ) -> Position:
        with self._lock:
            self._count += 1
            length = parent.length + len(tokens.ids)
            made = Position(self._count, parent, tokens, images, before, turn, length)
            return self._positions.setdefault(key, made)


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


def _key(at: Position, group: Sequence[Said], tools: str) -> object:
    """Tools are described where a conversation begins, and nowhere else."""
    return at.number, tuple(group), tools if at.parent is None else ""


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
