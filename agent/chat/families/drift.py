"""Whether conversations can be extended with a template: token-exactness stands and falls with it.

A template drifts where a message is rendered otherwise once others follow it (tools told before the last question, a
date, pictures counted through). A policy's earlier turns would then stand behind another text than they were sampled
behind, so such a template is refused, with the place where it drifts.
"""

import re
from dataclasses import replace

from agent.chat.families.family import NOTHING, TURN, Family, after
from agent.chat.families.template import Tool
from agent.chat.messages import ImagePart, MessageContent


def drift(family: Family) -> str | None:
    """Why conversations cannot be extended with this template; None where they can.

    Whole conversations are rendered and compared with what is rendered turn by turn. Empty thoughts, which some
    templates put into turns and drop later, are no drift: a turn of ours stands as it was sampled.
    """
    tool = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": _LOOK}}
    if (dropped := _dropped(family, tool)) is not None:
        return f"it leaves out {dropped}"
    for tools, groups in _probes(tool):
        texts = [family.opening(groups[0], tools)]
        before = NOTHING
        whole = [*family.messages(groups[0], before, tools, opens=True)]
        for group, previous in zip(groups[1:], groups, strict=False):
            for said in previous:
                before = after(before, said)
            texts.append(family.continuation(group, before))
            whole += [{"role": "assistant", "content": TURN}, *family.messages(group, before)]
        at_once = family.rendered(whole, tools)
        for number, (apart, together) in enumerate(zip(texts, at_once.split(TURN), strict=False), start=1):
            if _bare(apart) != _bare(together):
                return _difference(number, _bare(apart), _bare(together))
        if len(texts) != at_once.count(TURN) + 1:
            return f"a conversation of {len(texts) - 1} policy turns is rendered with {at_once.count(TURN)} of them"
    return None


def _dropped(family: Family, tool: Tool) -> str | None:
    """What of a conversation's beginning the template does not show; None where it shows all."""
    text = family.opening([MessageContent("system", ("Be brief.",)), MessageContent("user", ("What is it?",))], [tool])
    shown = {"the system message": "Be brief.", "the question": "What is it?", "the tools": "look"}
    return next((what for what, words in shown.items() if words not in text), None)


_LOOK = {"type": "object", "properties": {"image": {"type": "integer"}}, "required": ["image"]}


def _probes(tool: Tool) -> list[tuple[list[Tool], list[list[MessageContent]]]]:
    system, first = MessageContent("system", ("Be brief.",)), MessageContent("user", ("What is it?", ImagePart("1")))
    seen, later = MessageContent("tool", ("A view.", ImagePart("2"))), MessageContent("user", ("And there?",))
    failed, note = (
        MessageContent("tool", ("No such image.",)),
        MessageContent("user", ("Your turn could not be read.",), note=True),
    )
    return [
        ([], [[first], [later], [later]]),
        ([], [[system, first], [later], [replace(later, parts=("Where?", ImagePart("3")))]]),
        ([tool], [[system, first], [seen], [failed, seen], [later], [failed]]),
        ([tool], [[first], [seen, failed], [later]]),
        ([tool], [[first], [note], [failed, note], [seen]]),
    ]


def _bare(text: str) -> str:
    return re.sub(r"<think>\n\n</think>\n\n|<think>\n$", "", text)


def _difference(number: int, apart: str, together: str) -> str:
    at = next((i for i, pair in enumerate(zip(apart, together, strict=False)) if pair[0] != pair[1]), None)
    at = min(len(apart), len(together)) if at is None else at
    got, expected = together[max(0, at - 20) : at + 40], apart[max(0, at - 20) : at + 40]
    return f"what stands before turn {number} is {got!r} in a longer conversation, and {expected!r} when it is new"
