"""From a policy's text, as it comes, to what it says: thoughts, text, tool calls, and what is wrong with it.

One reader for a whole turn and for a stream, so that both give the same message. Text is passed on as soon as it cannot
be the beginning of a tag; a call is passed on once it is complete, because only then is it known to be one. What has
been passed on cannot be taken back, so a turn that is malformed says so at its end, in `fault`.

The tags are those of agent/protocol.py. A policy that was taught it keeps to it wholly (`protocol_reader`). Published
models write their own way: plain text is their answer, and text may stand beside calls. Theirs is malformed only where
tags leave open what is meant: one that ends what never began, one inside an answer, an answer beside another, beside
text or beside calls. A thought ends with its own tag, whatever it holds.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.protocol import TAGS, MalformedTurn, parse_turn, read_call
from tools.calls import ToolCall

Kind = Literal["text", "thought", "malformed"]
THINK, CALL, ANSWER = "think", "tool_call", "answer"
_REGIONS = {"<think>": THINK, "<tool_call>": CALL, "<answer>": ANSWER}
EXPECTED = (
    'Expected an answer in plain words, or one or several tool calls, each {"name": ..., "arguments": {...}} and '
    "nothing else between its opening and its closing tag."
)
"""What a published model may write; without tags, which are made plain in what it is told."""


@dataclass(frozen=True)
class Piece:
    """Some of a turn."""

    kind: Kind
    text: str


class Reader:
    """Reads one turn. `inside` is the region that the prompt has opened already (a thought), if any.

    `check` decides by the whole turn's text whether it is malformed (raising MalformedTurn), in place of the rules for
    published models.
    """

    def __init__(self, inside: str = "", check: Callable[[str], object] | None = None) -> None:
        self._inside = inside
        self._check = check
        self._text = ""
        self._left = ""
        self._space: str = ""
        """White space that ends a region, unless more follows it."""
        self._began = False
        self._seen: set[Kind] = set()
        self._holds: set[str] = set()
        """What the turn held so far: ANSWER, CALL, and "" for text beside them."""
        self.fault = ""
        """What is wrong with the turn and how to mend it, known once it is closed; empty where nothing is."""

    def feed(self, text: str) -> Iterator[Piece | ToolCall]:
        """What is certain now that `text` has come."""
        self._text += text
        self._left += text
        while (piece := self._next()) is not None:
            yield from piece

    def close(self, stopped: bool = False) -> Iterator[Piece | ToolCall]:
        """What is left at the turn's end; a call without its end is malformed.

        `stopped`: the caller's own stop sequence ended it, so an answer or a thought may lack its end.
        """
        left, self._left = self._left, ""
        if self._inside == CALL:
            self._blame("a tool call without its end")
            yield Piece("malformed", f"<{CALL}>{left}")
        else:
            yield from self._said(left)
        self._judge(stopped)

    def _next(self) -> list[Piece | ToolCall] | None:
        tags = [f"</{self._inside}>"] if self._inside in (CALL, THINK) else TAGS
        found = re.search("|".join(tags), self._left)
        if found is not None:
            before, self._left = self._left[: found.start()], self._left[found.end() :]
            return self._met(found[0], before)
        if self._inside == CALL:
            return None
        certain = len(self._left) - held_back(self._left, tags)
        if certain == 0:
            return None
        said, self._left = self._left[:certain], self._left[certain:]
        return self._said(said)

    def _met(self, tag: str, before: str) -> list[Piece | ToolCall]:
        ends = tag == f"</{self._inside}>"
        if not ends and (self._inside or tag not in _REGIONS):
            self._blame(f"{tag} inside an answer" if self._inside else f"{tag} that ends nothing")
            return self._said(before + tag)  # as it was written
        pieces = self._call(before) if self._inside == CALL else self._said(before)
        if ends and self._inside == ANSWER and not self._began:
            self._blame("an empty answer")
        self._inside = "" if ends else _REGIONS[tag]
        self._space, self._began = "", False
        if self._inside in (ANSWER, CALL):
            if ANSWER in self._holds:
                self._blame("more than one answer" if self._inside == ANSWER else "a tool call behind an answer")
            self._holds.add(self._inside)
        return pieces

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
        if not self._inside:
            self._holds.add("")
        return [Piece(kind, apart + kept)]

    def _call(self, text: str) -> list[Piece | ToolCall]:
        try:
            return [read_call(text.strip())]
        except MalformedTurn as error:
            self._blame(error.got)
            return [Piece("malformed", f"<{CALL}>{text}</{CALL}>")]

    def _judge(self, stopped: bool) -> None:
        if self._check is not None:
            self.fault = ""
            try:
                self._check(self._text + ("</answer>" if stopped and self._inside == ANSWER else ""))
            except MalformedTurn as error:
                self.fault = str(error)
            return
        if self._inside in (ANSWER, THINK) and not stopped:
            self._blame(f"<{self._inside}> without its end")
        if ANSWER in self._holds and len(self._holds) > 1:
            self._blame("an answer between tags, and tool calls or words beside it")

    def _blame(self, got: str) -> None:
        """Notes what is wrong first: what follows may follow from it."""
        self.fault = self.fault or f"Got {got}. {EXPECTED}"


def protocol_reader() -> Reader:
    """A reader for policies that were taught agent/protocol.py: malformed is what `parse_turn` cannot read."""
    return Reader(check=parse_turn)


def held_back(text: str, marks: Sequence[str]) -> int:
    """How many characters at the end of `text` may be the beginning of one of `marks`."""
    longest = max((len(mark) for mark in marks), default=0)
    begin = {mark[0] for mark in marks}
    for length in range(min(longest - 1, len(text)), 0, -1):
        if text[-length] in begin and any(mark.startswith(text[-length:]) for mark in marks):
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
