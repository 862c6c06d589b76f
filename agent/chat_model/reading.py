"""From a policy's text, as it comes, to what it says: thoughts, text, tool calls.

One reader for a whole turn and for a stream, so that both give the same message. Text is passed on as soon as it cannot
be the beginning of a tag; a call is passed on once it is complete, because only then is it known to be one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.protocol import MalformedTurn, read_call
from tools.calls import ToolCall

Kind = Literal["text", "thought", "malformed"]
THINK, CALL, ANSWER = "think", "tool_call", "answer"
_REGIONS = {"<think>": THINK, "<tool_call>": CALL, "<answer>": ANSWER}


@dataclass(frozen=True)
class Piece:
    """Some of a turn."""

    kind: Kind
    text: str


class Reader:
    """Reads one turn. `inside` is the region that the prompt has opened already (a thought), if any."""

    def __init__(self, inside: str = "") -> None:
        self._inside = inside
        self._left = ""
        self._space: str = ""
        """White space that ends a region, unless more follows it."""
        self._began = False
        self._seen: set[Kind] = set()

    def feed(self, text: str) -> Iterator[Piece | ToolCall]:
        """What is certain now that `text` has come."""
        self._left += text
        while (piece := self._next()) is not None:
            yield from piece

    def close(self) -> Iterator[Piece | ToolCall]:
        """What is left at the turn's end; a call without its end is malformed."""
        left, self._left = self._left, ""
        if self._inside == CALL:
            yield Piece("malformed", f"<{CALL}>{left}")
        else:
            yield from self._said(left)

    def _next(self) -> list[Piece | ToolCall] | None:
        tags = [f"</{self._inside}>"] if self._inside else list(_REGIONS)
        found = min(((self._left.find(tag), tag) for tag in tags if tag in self._left), default=None)
        if found is not None:
            at, tag = found
            before, self._left = self._left[:at], self._left[at + len(tag) :]
            pieces = self._call(before) if self._inside == CALL else self._said(before)
            self._inside = "" if self._inside else _REGIONS[tag]
            self._space, self._began = "", False
            return pieces
        if self._inside == CALL:
            return None
        certain = len(self._left) - held_back(self._left, tags)
        if certain == 0:
            return None
        said, self._left = self._left[:certain], self._left[certain:]
        return self._said(said)

    def _said(self, text: str) -> list[Piece | ToolCall]:
        kind: Kind = "thought" if self._inside == THINK else "text"
        text = self._space + text if self._began else text.lstrip()
        kept = text.rstrip()
        self._space = text[len(kept) :]
        if not kept:
            return []
        apart = "" if self._began or kind not in self._seen else "\n"
        self._seen.add(kind)
        self._began = True
        return [Piece(kind, apart + kept)]

    def _call(self, text: str) -> list[Piece | ToolCall]:
        try:
            return [read_call(text.strip())]
        except MalformedTurn:
            return [Piece("malformed", f"<{CALL}>{text}</{CALL}>")]


def held_back(text: str, marks: Sequence[str]) -> int:
    """How many characters at the end of `text` may be the beginning of one of `marks`."""
    longest = max((len(mark) for mark in marks), default=0)
    for length in range(min(longest - 1, len(text)), 0, -1):
        if any(mark.startswith(text[-length:]) for mark in marks):
            return length
    return 0


class Until:
    """Passes text on up to the first of some stop sequences, which is not passed on."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._left = ""
        self.met = False

    def feed(self, text: str) -> str:
        """What of the text so far is certain to stand before any stop sequence."""
        if self.met:
            return ""
        self._left += text
        found = [at for stop in self._stops if (at := self._left.find(stop)) >= 0]
        self.met = bool(found)
        certain = min(found) if found else len(self._left) - held_back(self._left, self._stops)
        passed, self._left = self._left[:certain], self._left[certain:]
        return passed

    def close(self) -> str:
        """What was held back and is certain now."""
        return "" if self.met else self._left
