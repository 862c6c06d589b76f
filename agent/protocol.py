"""The turn protocol: what a policy may write, and how it is read.

A turn is `<think>...</think>` followed by one or several `<tool_call>{...}</tool_call>` or by one
`<answer>...</answer>`, and nothing else. Anything that departs from it is a `MalformedTurn` whose message the policy
can mend its turn by.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, cast

from tools.toolbox import ToolCall

_TURN = re.compile(r"\s*<think>(?P<thought>.*?)</think>(?P<act>.*)", re.DOTALL)
_ANSWER = re.compile(r"<answer>(?P<answer>.*)</answer>", re.DOTALL)
_CALL = re.compile(r"\s*<tool_call>(?P<call>.*?)</tool_call>", re.DOTALL)
TAGS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<answer>", "</answer>")
_TAG = re.compile(r"</?(?:think|tool_call|answer)\b")
"""A tag, or the beginning of one: no thought and no answer holds any, whole or cut short."""
DEEPEST = 32
"""Levels of nesting that a call's JSON may have: checkpoints and pydantic give up at about 250."""
LONGEST_INTEGER = 18
"""Digits; more do not fit the 64 bits of a checkpoint's integers."""
EXPECTED = (
    'Expected <think>...</think> and then <tool_call>{"name": ..., "arguments": {...}}</tool_call> '
    "or <answer>...</answer>, nothing else."
)


class MalformedTurn(ValueError):
    """A turn that the protocol cannot read; the message says what was got and what is expected."""

    def __init__(self, got: str) -> None:
        super().__init__(f"Got {got}. {EXPECTED}")
        self.got = got
        """What was got, without what this protocol expects."""


@dataclass(frozen=True)
class Turn:
    """One turn of a policy: a thought, and either calls or an answer."""

    thought: str
    calls: tuple[ToolCall, ...] = ()
    answer: str | None = None


def parse_turn(text: str) -> Turn:
    """Reads a turn's text (without its end token). Raises MalformedTurn."""
    turn = _TURN.fullmatch(text)
    if turn is None:
        raise MalformedTurn("no <think>...</think> at the start")
    thought, act = turn["thought"].strip(), turn["act"].strip()
    if _TAG.search(thought):
        raise MalformedTurn("a tag inside <think>")
    answer = _ANSWER.fullmatch(act)
    if answer is not None:
        return Turn(thought, answer=_read_answer(answer["answer"]))
    return Turn(thought, calls=_read_calls(act))


def _read_answer(text: str) -> str:
    if _TAG.search(text):
        raise MalformedTurn("more than one act in a turn")
    if not text.strip():
        raise MalformedTurn("an empty answer")
    return text.strip()


def _read_calls(act: str) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    position = 0
    while match := _CALL.match(act, position):
        calls.append(read_call(match["call"]))
        position = match.end()
    if act[position:].strip() or not calls:
        got = act[position:].strip()[:80] or "nothing after the thought"
        raise MalformedTurn(f"{got!r}")
    return tuple(calls)


def read_call(text: str) -> ToolCall:
    """Reads what stands in a tool call's tags. Raises MalformedTurn."""
    try:
        value: object = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_finite)
        json.dumps(value, ensure_ascii=False).encode()  # escapes can spell half a surrogate pair, which is no text
    except ValueError as error:
        raise MalformedTurn(f"a tool call that is not JSON ({error}): {text[:120]!r}") from error
    except RecursionError as error:
        raise MalformedTurn("a tool call nested too deeply") from error
    if deeper_than(DEEPEST, value):
        raise MalformedTurn(f"a tool call nested more than {DEEPEST} levels deep")
    if not isinstance(value, dict):
        raise MalformedTurn(f"a tool call that is no object: {text[:120]!r}")
    fields = cast(dict[str, Any], value)
    name, arguments = fields.get("name"), fields.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, dict) or set(fields) != {"name", "arguments"}:
        raise MalformedTurn('a tool call without exactly "name" (text) and "arguments" (object)')
    return ToolCall(name=name, arguments=cast(dict[str, Any], arguments))


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > LONGEST_INTEGER:
        raise ValueError(f"an integer of more than {LONGEST_INTEGER} digits")
    return int(digits)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number[:20]} is no finite number")
    return value


def deeper_than(levels: int, value: object) -> bool:
    """Whether a value of JSON is nested more than so many levels deep."""
    if not isinstance(value, dict | list):
        return False
    inside = cast("dict[str, object] | list[object]", value)
    children = inside.values() if isinstance(inside, dict) else inside
    return levels == 0 or any(deeper_than(levels - 1, child) for child in children)


def render_turn(turn: Turn) -> str:
    """A turn as text; `parse_turn` reads it back. For experts and for teaching a base."""
    calls = (json.dumps({"name": call.name, "arguments": call.arguments}) for call in turn.calls)
    act = "".join(f"<tool_call>{call}</tool_call>" for call in calls)
    return f"<think>{turn.thought}</think>" + (act if turn.answer is None else f"<answer>{turn.answer}</answer>")
