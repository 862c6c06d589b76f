"""Turns that are malformed, and those that are not, as each family writes them; whole and in pieces alike."""

import random
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.messages import AIMessage, message_chunk_to_message

from agent.chat import Episode, family_of
from agent.chat.families.family import Family
from agent.chat.reply import FAULT, Chunks, Reply
from agent.policies.policy import Completion
from agent.protocol import MalformedTurn, Turn, parse_turn
from tests.agent.chat.test_families import INSTRUCT, THINKING, with_template

CALL = '<tool_call>{"name": "look", "arguments": {"image": 1}}</tool_call>'


@pytest.fixture
def families(processor: Any) -> dict[str, Family]:
    """The embedded policy's, and two published ones."""
    return {
        "medvista": family_of(processor),
        "instruct": family_of(with_template(processor, INSTRUCT)),
        "thinking": family_of(with_template(processor, THINKING)),
    }


def read(family: Family, text: str, at_once: int | None = None, stops: tuple[str, ...] = ()) -> Any:
    """The message of a turn, its ids fed so many at a time (all at once by default)."""
    ids = tuple(family.encode(text)[0])
    reply = Reply("sample-1", family, family.reader(), stops)
    step = at_once or len(ids) or 1
    pieces = [piece for start in range(0, len(ids), step) for piece in reply.feed(ids[start : start + step])]
    pieces += reply.close()
    message = reply.message(pieces, Completion(ids, (-1.0,) * len(ids), "stop", ("v",), None), 1, "policy")
    assert message == in_chunks(pieces, message)
    return message


def in_chunks(pieces: Sequence[Any], message: AIMessage) -> Any:
    """The same turn as LangChain makes it of chunks."""
    chunks = Chunks("sample-1")
    made = [*map(chunks.of, pieces), chunks.last(message)]
    return message_chunk_to_message(reduce(add, made))


@pytest.mark.parametrize(
    "text",
    [
        "nonelobulatedlobulated</answer>",
        "<think>a</think>nonelobulatedlobulated</answer>",
        "<think>a</think><answer>none</answer><answer>lobulated</answer>",
        "<think>a</think><answer>none<answer>lobulated</answer></answer>",
        "<think>a</think><answer>none</answer>lobulated",
        "<think>a</think>none<answer>lobulated</answer>",
        "<think>a</think><answer>none</think></answer>",
        "<think>a</think></think><answer>none</answer>",
        "<think>a<answer>none</answer>",
        "<think>a</think><answer>none",
        "<think>a</think><answer>none</answer",
        "<think>a</think><answer></answer>",
        f"<think>a</think>{CALL}<answer>none</answer>",
        f"<think>a</think><answer>none</answer>{CALL}",
        f"<think>a</think>{CALL}</tool_call>",
        "<think>a</think><tool_call>{}",
        "none",
        "",
    ],
)
@pytest.mark.parametrize("at_once", [None, 1])
def test_what_the_protocol_cannot_read_is_malformed_in_messages_too(
    families: dict[str, Family], text: str, at_once: int | None
) -> None:
    with pytest.raises(MalformedTurn) as caught:
        parse_turn(text)
    message = read(families["medvista"], text, at_once)
    assert message.response_metadata.get(FAULT) == str(caught.value)


MALFORMED = {
    "nonelobulatedlobulated</answer>": "</answer> that ends nothing",
    "solid</think>": "</think> that ends nothing",
    f"{CALL}</tool_call>": "</tool_call> that ends nothing",
    "<answer>none</answer><answer>lobulated</answer>": "more than one answer",
    "<answer>none<answer>lobulated</answer>": "<answer> inside an answer",
    "<answer>none</think></answer>": "</think> inside an answer",
    "It is <answer>none</answer>": "an answer between tags, and tool calls or words beside it",
    "<answer>none</answer> or lobulated": "an answer between tags, and tool calls or words beside it",
    f"{CALL}<answer>none</answer>": "an answer between tags, and tool calls or words beside it",
    f"<answer>none</answer>{CALL}": "a tool call behind an answer",
    "<answer>none": "<answer> without its end",
    "<answer> </answer>": "an empty answer",
    "<tool_call>{}</tool_call>": 'a tool call without exactly "name"',
    '<tool_call>{"name": ': "a tool call without its end",
}
"""What published models may not write either, and what they are told."""


@pytest.mark.parametrize("text", MALFORMED)
@pytest.mark.parametrize("at_once", [None, 1, 3])
def test_what_leaves_open_what_a_published_model_means(
    families: dict[str, Family], text: str, at_once: int | None
) -> None:
    for name, before in (("instruct", ""), ("instruct", "<think>\nb\n</think>\n\n"), ("thinking", "b\n</think>\n\n")):
        fault = read(families[name], before + text, at_once).response_metadata.get(FAULT, "")
        assert fault.startswith(f"Got {MALFORMED[text]}") and "Expected an answer in plain words" in fault


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("instruct", "It is solid.", "It is solid."),
        ("instruct", "a < b and x <y> z, </b>, <answers>", "a < b and x <y> z, </b>, <answers>"),
        ("instruct", f"I will look.\n{CALL}", "I will look."),
        ("instruct", f"{CALL}\n{CALL}", ""),
        ("instruct", "<think>\nThen I write <answer> and </answer>.\n</think>\n\nsolid", "solid"),
        ("instruct", "<think>\na\n</think>\n\n<answer>solid</answer>\n", "solid"),
        ("instruct", '<tool_call>{"name": "ask", "arguments": {"q": "what is </answer>?"}}</tool_call>', ""),
        ("thinking", "I see <think> it, <tool_call> too.\n</think>\n\nsolid", "solid"),  # the prompt began the thought
        ("thinking", f"b\n</think>\n\n{CALL}", ""),
        ("medvista", "<think>a</think><answer>x < 3, <b></answer>", "x < 3, <b>"),
        ("medvista", f"<think>a</think>{CALL}{CALL}", ""),
    ],
)
@pytest.mark.parametrize("at_once", [None, 1, 3])
def test_what_each_family_writes_by_right(
    families: dict[str, Family], name: str, text: str, said: str, at_once: int | None
) -> None:
    message = read(families[name], text, at_once)
    assert FAULT not in message.response_metadata
    assert message.text == said
    assert len(message.tool_calls) == text.count('{"name"')


def test_a_thought_that_never_ends_is_malformed(families: dict[str, Family]) -> None:
    for name, text in (("thinking", "I see it. It is solid."), ("instruct", "<think>I see it.")):
        assert "<think> without its end" in read(families[name], text).response_metadata.get(FAULT, "")


def test_the_callers_own_stop_sequence_may_end_an_answer(families: dict[str, Family]) -> None:
    for name, text in (("medvista", "<think>a</think><answer>solid</answer>"), ("instruct", "<answer>solid</answer>")):
        message = read(families[name], text, stops=("</answer>",))
        assert (message.text, message.response_metadata.get(FAULT)) == ("solid", None)


PARTS = ["<think>", "</think>", "<answer>", "</answer>", "<tool_call>", "</tool_call>", "a", " ", "\n", "<", "</", "b>"]


def test_both_readers_of_the_protocol_agree_on_any_turn(families: dict[str, Family]) -> None:
    draw = random.Random(0)
    well_formed = 0
    for _ in range(400):
        parts = draw.choices([*PARTS, CALL], k=draw.randrange(1, 7))
        text = "".join(["<think>", *parts[:1], "</think>", "<answer>" * draw.randrange(2), *parts[1:], "</answer>"])
        if draw.random() < 0.3:
            text = "<think>a</think>" + "".join(draw.choices([CALL, " "], k=3)) + draw.choice(["", "</answer>"])
        message = read(families["medvista"], text, draw.choice([None, 1, 2]))
        try:
            turn = parse_turn(text)
        except MalformedTurn as error:
            assert message.response_metadata.get(FAULT) == str(error)
            continue
        well_formed += 1
        calls = tuple((call["name"], call["args"]) for call in message.tool_calls)
        assert FAULT not in message.response_metadata
        assert (message.text or None, calls) == (turn.answer, tuple((call.name, call.arguments) for call in turn.calls))
    assert well_formed > 40


async def test_a_stray_tag_is_no_answer_and_is_told_and_counted(speaking: Any, store: Any) -> None:
    from agent.chat.images import MessageImages
    from graphs.parts.findings import finding_of
    from graphs.parts.state import answer_of
    from graphs.reasoning import reader

    model, heard = speaking(["<think>a</think>nonelobulated</answer>", "<think>a</think><answer>solid</answer>"])
    with Episode().recording() as episode:
        done = await reader(model, [], turns=2)({"images": [], "question": "What type?"})
    assert (done["answer"], done["turns"], done["faults"], episode.faults) == ("solid", 2, 1, 1)
    assert "Your turn could not be read. Got 'nonelobulated</answer>'." in heard.texts[1]
    cut = answer_of({"images": [], "question": "What type?"}, done["messages"][:2], MessageImages(store))
    assert (cut["answer"], cut["outcome"]) == (None, "too_many_turns")
    assert [finding_of("first", each)["answer"] for each in (cut, done)] == ["", "solid"]


def test_a_turn_is_what_it_was() -> None:
    assert parse_turn("<think>a</think><answer>x <answers> y</answer>") == Turn("a", answer="x <answers> y")
    for cut in ("<think>a</think><answer>solid</answer</answer>", "<think>a</think</think><answer>solid</answer>"):
        with pytest.raises(MalformedTurn):
            parse_turn(cut)
