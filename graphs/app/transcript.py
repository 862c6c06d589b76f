"""How an episode is told to a person, turn by turn, and to a program, as JSON.

Everything that a policy or a tool wrote is shown as it is, save characters that would act on a terminal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.answer import Answer
from agent.chat.reply import FAULT
from agent.prompt import ABSTAIN
from graphs.parts.state import calls_in, turn_text
from tools.images.panel import Section
from tools.images.store import ImageStore

NOTICE = "Research use only, not a medical device."
WHY_NO_ANSWER = {
    "too_many_turns": "the policy used all its turns without an answer",
    "context_full": "the next observation would not fit the policy's context",
}


def printable(text: str) -> str:
    """The text without what a terminal would obey (escape sequences and the like)."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def describe_update(node: str, update: Mapping[str, Any], store: ImageStore) -> str | None:
    """What an update of the reasoning graph's nodes tells a reader; None where it tells nothing new."""
    if node == "reason" and not update.get("outcome"):
        turn = update["messages"][-1]
        told, fault = printable(f"Turn {update['turns']}: {turn_text(turn)}"), turn.response_metadata.get(FAULT)
        return f"{told}\n{_indented(fault)}" if fault else told
    if node == "execute":
        calls = calls_in(update["found"])
        return "\n".join(_indented(" ".join([*_files(call["images"], store), call["text"]])) for call in calls)
    return None


def _files(images: Sequence[str], store: ImageStore) -> list[str]:
    return [str(store.path(image)) for image in images]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in printable(text).splitlines())


def describe_answer(state: Answer, store: ImageStore) -> str:
    """The answer with what it rests on, or why there is none; always with the notice."""
    outcome = state["outcome"]
    if outcome in ("answered", "abstained"):
        lines = [f"Answer: {state['answer'] or ABSTAIN}"]
    else:
        lines = [f"No answer: {WHY_NO_ANSWER.get(str(outcome), outcome)}."]
    for item in state["evidence"]:
        box = ", ".join(f"{value:g}" for value in item["box"])
        source = state["images"].index(item["source"]) + 1 if item["source"] in state["images"] else "not shown"
        section = f"{Section(**item['section'])} of " if item["section"] else ""
        where = f"box [{box}] in pixels of {section}image {source}"
        lines.append(f"Evidence: image {item['number']}, {where}, by {item['tool']}: {store.path(item['image'])}")
    return printable("\n".join([*lines, NOTICE]))


def as_json(state: Answer, store: ImageStore) -> dict[str, Any]:
    """The finished episode for a program: `answer`, `outcome`, `evidence`, `transcript`, `versions`, `notice`."""
    turns = [{**message, "files": _files(message["images"], store)} for message in state["transcript"]]
    return {
        "question": state["question"],
        "answer": state["answer"],
        "outcome": state["outcome"],
        "evidence": [{**item, "file": str(store.path(item["image"]))} for item in state["evidence"]],
        "transcript": turns,
        "versions": state["versions"],
        "notice": NOTICE,
    }
