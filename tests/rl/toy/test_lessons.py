"""Lessons: well-formed turns, dense labels that say what a cell shows, and never a tool's result after its call."""

from itertools import pairwise

import numpy as np
import pytest

from agent.chat.loading import family_in
from agent.prompt import END_OF_TURN, IMAGE
from agent.protocol import Turn, parse_turn
from rl.config import ROOT
from rl.rollout.run_parts import embedded_tools
from rl.toy.lessons import CALL_MEASURE, CELLS, NOTHING, Exchange, Lesson, Teacher
from rl.toy.teach import IGNORED, collate

LESSONS: list[Lesson] = Teacher(embedded_tools().prompt_section()).step(np.random.default_rng(5), 12)


def said(exchange: Exchange) -> Turn:
    return parse_turn((exchange.given + exchange.target).removesuffix(END_OF_TURN))


def test_every_turn_is_one_that_the_agent_could_write() -> None:
    for lesson in LESSONS:
        for exchange in lesson:
            assert exchange.prompt.count(IMAGE) == len(exchange.views)
            said(exchange)


def test_what_a_call_returns_never_follows_it() -> None:
    for lesson in LESSONS:
        for exchange, after in pairwise(lesson):
            called = {call.name for call in said(exchange).calls}
            if "zoom_in" in called:
                assert not after.views
            if "measure_distance" in called:
                assert "Distance: " not in after.prompt


def test_dense_labels_count_what_lies_in_a_cell() -> None:
    for lesson in LESSONS:
        for exchange in lesson:
            if "calcifications" not in exchange.skill or "close" not in exchange.skill:
                continue
            cells = exchange.views[-1].cells
            assert len(cells) == CELLS**2
            seen = sum(int(word) for word in cells if word.isdigit())
            assert str(seen) == said(exchange).answer
            assert {word for word in cells if not word.isdigit()} <= {NOTHING, "solid"}


@pytest.mark.parametrize("question", ["What type", "How many calc", "Are the two", "In which quad", CALL_MEASURE[:12]])
def test_each_skill_is_asked_for(question: str) -> None:
    assert any(exchange.skill.startswith(question) for lesson in LESSONS for exchange in lesson)


def test_a_batch_labels_the_turns_and_nothing_else() -> None:
    encoder = family_in(ROOT / "rl" / "toy" / "checkpoint")
    lesson = next(lesson for lesson in LESSONS if len(lesson) == 2)
    batch = collate([lesson], encoder)
    labelled = [int(label) for label in batch["labels"][0] if label != IGNORED]
    assert labelled == [token for exchange in lesson for token in encoder.encode(exchange.target)[0]]
    pictures = int((batch["input_ids"] == encoder.image_pad).sum())
    assert pictures == int((batch["dense"] != IGNORED).sum()) == CELLS**2 * sum(len(each.views) for each in lesson)


def test_a_thought_that_leads_to_a_call_is_learnt_only_where_the_call_was_told() -> None:
    for lesson in LESSONS:
        for exchange in lesson:
            if said(exchange).calls:
                told = "Call " in exchange.prompt.rpartition("<|im_start|>user")[2]
                assert told != bool(exchange.given)
