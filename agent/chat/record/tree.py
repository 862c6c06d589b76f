"""The tree of positions: where a history is found again, and what is new in it rendered, once.

From a position, messages that no policy of ours sampled lead to the next, the same messages to the same position ever
after, and each sample leads to one. What is not known in memory is looked for among the stored samples.
"""

import threading
from collections.abc import Callable, Sequence

from agent.chat.families.family import NOTHING, Before, Family, Tokens, after
from agent.chat.families.template import Tool
from agent.chat.messages import MessageContent
from agent.chat.record.positions import Position, Turn
from agent.chat.record.sample_store import Sample, SampleStore, digest
from agent.encoder import Sized

MOST_LOST = 4096
"""Ids of samples that are remembered to be nowhere."""


class Tree:
    """The positions of one record; with `samples` also those that other processes have come to."""

    def __init__(self, samples: SampleStore | None = None) -> None:
        self.samples = samples
        self._count = 0
        self._lock = threading.RLock()
        self.forget()

    def forget(self) -> None:
        """Lets go of everything. Numbers go on, so no old position is taken for a new one."""
        self._count += 1
        self._root = Position(self._count, None, Tokens((), ()), (), NOTHING)
        self._positions: dict[object, Position] = {}
        self._turns: dict[str, Turn] = {}
        self._alike: dict[tuple[int, MessageContent], list[Turn]] = {}
        self._lost: set[str] = set()
        self._ends: dict[int, tuple[str, Sequence[tuple[MessageContent, str | None]]]] = {}
        """By the number of a position that a conversation was last found at: its tools and its history up to there."""

    def __len__(self) -> int:
        return len(self._turns)

    def fork(self) -> "Tree":
        """A tree of the same positions that grows on its own; turns are found in it by their ids only."""
        fork = Tree(self.samples)
        with self._lock:
            fork._root, fork._count = self._root, self._count
            fork._positions, fork._turns = dict(self._positions), dict(self._turns)
        return fork

    def locate(
        self,
        history: Sequence[tuple[MessageContent, str | None]],
        family: Family,
        tools: Sequence[Tool],
        image: Callable[[str], Sized],
    ) -> Position:
        """The position behind a history of (what was said, id of the sample it carries), ready for the next turn.

        `image` gives an image by its id. Raises EncodingError for an image that cannot be shown, TemplateError for
        messages that the family's template refuses.
        """
        described, waiting = repr(tools), list[MessageContent]()
        at, passed = self._last_end(history, described)
        rest = history[passed:]
        by_id = [self._by_id(said, sample) for said, sample in rest]
        last = next((turn for turn in reversed(by_id) if turn is not None), None)
        course = {} if last is None or self.samples is None else _rendered_before(last)

        def rendered(turn: Turn | None) -> Position:
            group, told = tuple(waiting), described if at.parent is None else ""  # where a conversation begins
            key = at.number, group, told
            found = self._positions.get(key)
            stood = [] if turn is None else [course.get(at.number), turn.context]
            for position in stood:
                if position is not None and (position is found or _is(position, at, group, told)):
                    return position
            return found or self._rendered(key, at, group, told, family, tools, image)

        for (said, sample), known in zip(rest, by_id, strict=True):
            turn = known
            if turn is None and sample is None and said.role == "assistant":
                turn = self._alone(said, at, waiting, described)
            if turn is None:
                waiting.append(said)
            else:
                at, waiting = self.behind(rendered(turn), turn), []
        end = rendered(None)
        self._ends[end.number] = described, history
        return end

    def _last_end(self, history: Sequence[tuple[MessageContent, str | None]], tools: str) -> tuple[Position, int]:
        """Where a history goes on that was found before up to its last turn, and how many messages lie behind that;
        the root for any other. A conversation comes again whole with every turn: most of it need not be walked."""
        last = next((place for place in range(len(history) - 1, -1, -1) if history[place][0].role == "assistant"), 0)
        turn = self._turns.get(history[last][1] or "") if history else None
        if turn is None or turn.said != history[last][0]:
            return self._root, 0
        if self._ends.get(turn.context.number) != (tools, history[:last]):
            return self._root, 0
        self._ends.pop(turn.context.number, None)
        return self.behind(turn.context, turn), last + 1

    def add(self, turn: Turn) -> None:
        """Notes a turn, to be found again: by its id, or by what it says where nothing else says it there."""
        with self._lock:
            if self.samples is not None and turn.context.number < self._root.number:
                return  # forgotten since it was asked for; it lies among the samples
            self._turns[turn.call.sample] = turn
            self._alike.setdefault((turn.context.number, turn.said), []).append(turn)

    def behind(self, at: Position, turn: Turn) -> Position:
        """The position behind a turn that stands at `at`."""
        key = at.number, turn.call.sample
        found = self._positions.get(key)
        if found is None:
            ids = tuple(turn.completion.token_ids)
            found = self._add(key, at, Tokens(ids, ids), (), after(at.before, turn.said), turn)
        return found

    def _by_id(self, said: MessageContent, sample: str | None) -> Turn | None:
        """The turn that a message says it is, if it says what was said then."""
        if sample is None or said.role != "assistant":
            return None
        turn = self._turns.get(sample) or self._stored(sample)
        return turn if turn is not None and turn.said == said else None

    def _alone(self, said: MessageContent, at: Position, waiting: Sequence[MessageContent], tools: str) -> Turn | None:
        """The turn that a message without an id must be: the only one that says so there."""
        found = self._positions.get((at.number, tuple(waiting), tools if at.parent is None else ""))
        alike = self._alike.get((found.number, said), []) if found is not None else []
        return alike[0] if len(alike) == 1 else None

    def _rendered(
        self,
        key: object,
        at: Position,
        group: Sequence[MessageContent],
        told: str,
        family: Family,
        tools: Sequence[Tool],
        image: Callable[[str], Sized],
    ) -> Position:
        """The position behind messages that nobody sampled, with the beginning of the policy's turn."""
        text = family.opening(group, tools) if at.parent is None else family.continuation(group, at.before)
        images = tuple(each for said in group for each in said.images)
        tokens = family.tokens(text, [image(each) for each in images])
        if at.turn is not None and at.tokens.ids[-1:] == tokens.ids[:1] == (family.end_of_turn,):
            tokens = tokens.without_first()
        before = at.before
        for said in group:
            before = after(before, said)
        named = digest(group, told) if self.samples is not None else ""
        return self._add(key, at, tokens, images, before, None, named)

    def _add(
        self,
        key: object,
        parent: Position,
        tokens: Tokens,
        images: tuple[str, ...],
        before: Before,
        turn: Turn | None,
        named: str = "",
    ) -> Position:
        with self._lock:
            self._count += 1
            length = parent.length + len(tokens.ids)
            made = Position(self._count, parent, tokens, images, before, turn, length, named)
            return self._positions.setdefault(key, made)

    def _stored(self, sample: str) -> Turn | None:
        """A turn that is not in memory, and those that it hangs on, from the samples; None where one is lost."""
        if self.samples is None or sample in self._lost:
            return None
        read: dict[str, Sample] = {}
        wanted = [sample]
        while wanted:
            found = read.get(wanted[-1]) or self.samples.get(wanted[-1])
            if found is None or (needed := set(found.needed) - self._turns.keys()) & read.keys():
                if len(self._lost) >= MOST_LOST:
                    self._lost.clear()
                self._lost.add(sample)
                return None
            read[wanted[-1]] = found
            if needed:
                wanted += needed
            else:
                self._restore(found)
                wanted.pop()
        return self._turns.get(sample)

    def _restore(self, sample: Sample) -> None:
        """Hangs a sample into the tree; those that it needs are there."""
        at = self._root
        if sample.behind is not None:
            last = self._turns[sample.behind]
            at = self.behind(last.context, last)
        for piece in sample.pieces:
            if isinstance(piece, str):
                at = self.behind(at, self._turns[piece])
            else:
                key = at.number, piece.key, piece.tokens
                at = self._add(key, at, piece.tokens, piece.images, piece.before, None, piece.key)
        turn = Turn(sample.call, sample.said, sample.completion, at, sample.malformed, sample.kept)
        self._turns.setdefault(sample.call.sample, turn)


def _rendered_before(turn: Turn) -> dict[int, Position]:
    """What was rendered up to a turn, by the number of the position that it was rendered behind."""
    return {at.parent.number: at for at in turn.context.path() if at.turn is None and at.parent is not None}


def _is(position: Position | None, at: Position, group: Sequence[MessageContent], tools: str) -> bool:
    """Whether a position is that of these very messages behind `at`, however they were rendered."""
    return (
        position is not None and position.parent is at and bool(position.key) and position.key == digest(group, tools)
    )
