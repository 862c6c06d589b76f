"""The turn protocol: every text is a Turn or a MalformedTurn, and quickly so."""

import json
import random
import time

import pytest
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agent.protocol import DEEPEST, MalformedTurn, Turn, parse_turn, render_turn
from tools.toolbox import ToolCall

ZOOM = '<tool_call>{"name": "zoom_in", "arguments": {"image": 1, "box": [0, 10, 20, 999]}}</tool_call>'
MEASURE = (
    '<tool_call>{"name": "measure_distance", "arguments": {"image": 1, "start": [0, 0], "end": [9, 9]}}</tool_call>'
)


def call(arguments: str) -> str:
    return f'<think>a</think><tool_call>{{"name": "zoom_in", "arguments": {arguments}}}</tool_call>'


def test_an_answer() -> None:
    assert parse_turn("<think>I see.</think><answer>cystic</answer>") == Turn("I see.", answer="cystic")


def test_one_call() -> None:
    expected = ToolCall(name="zoom_in", arguments={"image": 1, "box": [0, 10, 20, 999]})
    assert parse_turn(f"<think></think>{ZOOM}") == Turn("", calls=(expected,))


def test_calls_keep_their_order_and_space_between_the_parts_does_not_matter() -> None:
    turn = parse_turn(f"\n <think> a\nb </think>\n{ZOOM}\n\t{MEASURE} \n")
    assert turn.thought == "a\nb"
    assert [each.name for each in turn.calls] == ["zoom_in", "measure_distance"]


@pytest.mark.parametrize(
    "turn",
    [
        Turn("I must look closer.", calls=(ToolCall(name="zoom_in", arguments={"image": 1, "box": [1, 2, 3, 4]}),)),
        Turn("ß 漢字 😀", answer='a "quoted" <b> answer\nof two lines'),
        Turn("", calls=(ToolCall(name="a", arguments={}), ToolCall(name="b", arguments={"t": 'é"\\\n', "f": -1.5e-3}))),
    ],
)
def test_what_is_rendered_is_read_back(turn: Turn) -> None:
    assert parse_turn(render_turn(turn)) == turn


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("", "no <think>"),
        ("   \n", "no <think>"),
        ("cystic", "no <think>"),
        ("<answer>cystic</answer>", "no <think>"),
        (f"{ZOOM}<think>late</think>", "no <think>"),
        ("<think>never closed <answer>a</answer>", "no <think>"),
        ("hello <think>a</think><answer>b</answer>", "no <think>"),
        ("<THINK>a</THINK><answer>b</answer>", "no <think>"),
        ("<think>a</think>", "nothing after the thought"),
        ("<think>a</think>cystic", "'cystic'"),
        ("<think>a</think><answer></answer>", "empty answer"),
        ("<think>a</think><answer> \n </answer>", "empty answer"),
        ("<think>a</think><answer>never closed", "'<answer>never closed'"),
        ("<think>a</think><answer>a</answer><answer>b</answer>", "more than one act"),
        ("<think>a</think><answer>a</answer>b", "'<answer>a</answer>b'"),
        (f"<think>a</think>{ZOOM}<answer>a</answer>", "'<answer>a</answer>'"),
        (f"<think>a</think><answer>a</answer>{ZOOM}", "'<answer>a</answer>"),
        (f"<think>a</think>{ZOOM}and then", "'and then'"),
        (f"<think>a {ZOOM}</think><answer>a</answer>", "tag inside <think>"),
        ("<think>a<think>b</think><answer>a</answer>", "tag inside <think>"),
        ("<think>a</answer></think><answer>a</answer>", "tag inside <think>"),
        ("<think>a</think></think><answer>b</answer>", "'</think><answer>"),
        ("<think>a</think><answer><think>b</think>c</answer>", "more than one act"),
        ("<think>a</think><answer><answer>b</answer></answer>", "more than one act"),
        ("<think>a</think><tool_call></tool_call>", "not JSON"),
        ("<think>a</think><tool_call>{</tool_call>", "not JSON"),
        ("<think>a</think><tool_call>{'name': 'a', 'arguments': {}}</tool_call>", "not JSON"),
        ('<think>a</think><tool_call>{"name": "a", "arguments": {}} {}</tool_call>', "not JSON"),
        (call('{"box": [1, 2,]}'), "not JSON"),
        (call('{"box": [NaN]}'), "not JSON"),
        (call('{"box": [-Infinity]}'), "not JSON"),
        (call('{"box": [1e999]}'), "not JSON"),
        (call('{"box": [' + "9" * 19 + "]}"), "not JSON"),
        (call('{"box": [' + "9" * 5000 + "]}"), "not JSON"),
        (call('{"t": "\\ud800"}'), "not JSON"),
        (call('{"\\udc00": 1}'), "not JSON"),
        (call("[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)), 'without exactly "name"'),
        (call('{"t": ' + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1) + "}"), "levels deep"),
        (call("[" * 100_000), "nested too deeply"),
        (call('{"a":' * 100_000), "nested too deeply"),
        ("<think>a</think><tool_call>[]</tool_call>", "no object"),
        ('<think>a</think><tool_call>"zoom_in"</tool_call>', "no object"),
        ("<think>a</think><tool_call>null</tool_call>", "no object"),
        ("<think>a</think><tool_call>{}</tool_call>", 'without exactly "name"'),
        ('<think>a</think><tool_call>{"name": "a"}</tool_call>', 'without exactly "name"'),
        ('<think>a</think><tool_call>{"name": 1, "arguments": {}}</tool_call>', 'without exactly "name"'),
        ('<think>a</think><tool_call>{"name": "a", "arguments": []}</tool_call>', 'without exactly "name"'),
        ('<think>a</think><tool_call>{"name": "a", "arguments": {}, "b": 1}</tool_call>', 'without exactly "name"'),
        ("\ud800", "no <think>"),
    ],
)
def test_a_malformed_turn_says_what_was_got_and_what_is_expected(text: str, got: str) -> None:
    with pytest.raises(MalformedTurn) as caught:
        parse_turn(text)
    message = str(caught.value)
    assert got in message
    assert "xpected <think>...</think> and then <tool_call>" in message
    assert len(message) < 600  # it goes into the policy's context


def test_the_deepest_call_that_is_read_survives_a_checkpoint() -> None:
    inside = DEEPEST - 2
    (deep,) = parse_turn(call('{"t": ' + "[" * inside + "]" * inside + "}")).calls
    serde = JsonPlusSerializer()
    assert ToolCall.model_validate(serde.loads_typed(serde.dumps_typed(deep.model_dump()))) == deep


def mutated(text: str, draw: random.Random) -> str:
    """The text with up to six edits: characters and tags cut, doubled, swapped or put in."""
    strange = ["<think>", "</think>", "<answer>", "</answer>", "<tool_call>", "</tool_call>", '"', "{", "}", "[", "]"]
    strange += ["\\", "\\u", "\\ud83d", "\x00", "\n", "é", "漢", "😀", "\ud800", "<|im_end|>", "1e400", "NaN", "-", " "]
    for _ in range(draw.randint(1, 6)):
        first, second = sorted(draw.randrange(len(text) + 1) for _ in range(2))
        piece = draw.choice([draw.choice(strange), text[first:second], chr(draw.randrange(0x110000))])
        text = draw.choice([text[:first] + text[second:], text[:first] + piece + text[first:], text[second:] + piece])
    return text


def test_ten_thousand_broken_turns_are_read_or_refused_quickly() -> None:
    draw = random.Random(0)
    valid = [
        f"<think>Look.</think>{ZOOM}{MEASURE}",
        f"<think>a</think>{ZOOM}",
        "<think>I see.</think><answer>yes</answer>",
    ]
    serde = JsonPlusSerializer()
    refused = 0
    started = time.process_time()
    for _ in range(10_000):
        try:
            turn = parse_turn(mutated(draw.choice(valid), draw))
        except MalformedTurn:
            refused += 1
            continue
        plain = [each.model_dump() for each in turn.calls]
        assert serde.loads_typed(serde.dumps_typed(plain)) == plain  # what is read can be kept
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert time.process_time() - started < 10
    assert 5_000 < refused < 10_000


@pytest.mark.parametrize(
    "text",
    [
        "<think>a</think>x" + " " * 200_000 + "y",
        "<think>" * 50_000,
        "<think>a</think>" + "</think>" * 50_000,
        "<think>a</think>" + "<tool_call>" * 50_000,
        "<think>a</think>" + "<answer>" * 50_000,
        " " * 200_000 + "<think",
        "<think>a</think>" + ZOOM * 5_000 + "x",
    ],
)
def test_a_long_turn_is_refused_in_linear_time(text: str) -> None:
    started = time.process_time()
    with pytest.raises(MalformedTurn):
        parse_turn(text)
    assert time.process_time() - started < 1
