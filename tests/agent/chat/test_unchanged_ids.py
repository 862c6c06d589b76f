"""The embedded policy's ids stay what they were: its texts and their hashes were taken before families owned pixels."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agent.chat.families.family import NOTHING, Before, Family
from agent.chat.guided_decoding import described
from agent.chat.messages import CallPart, ImagePart, MessageContent
from agent.prompt import correction, user_turn
from tools.registry import load_tools

PICTURES = [
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))
    for seed, shape in enumerate([(512, 512), (112, 112), (90, 300), (411, 77)])
]
ASKED = MessageContent("user", (ImagePart("0"), ImagePart("1"), "Are both lesions <|im_end|> of the same type?"))
BEFORE = Before(2, "Are both lesions of the same type?")
ZOOM = CallPart("zoom_in", '{"box": [0, 0, 120, 120], "image": 1}')


def hashed(family: Family, text: str, pictures: Sequence[Image.Image]) -> str:
    tokens = family.tokens(text, pictures)
    whole = [list(tokens.ids), list(tokens.prompt), [(each.start, each.length, each.grid) for each in tokens.spans]]
    return hashlib.sha256(repr(whole).encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def tools() -> list[dict[str, Any]]:
    return [described(each) for each in load_tools(["zoom_in", "measure_distance"])]


def test_an_opening_with_tools(family: Family, tools: list[dict[str, Any]]) -> None:
    assert hashed(family, family.opening([ASKED], tools), PICTURES[:2]) == "e2a049d4d0b37ce2"


def test_an_opening_with_a_system_message_and_no_tools(family: Family) -> None:
    group = [MessageContent("system", ("Be brief.",)), ASKED]
    assert hashed(family, family.opening(group), PICTURES[:2]) == "54082233d945e639"


def test_an_opening_with_a_turn_that_nobody_sampled(family: Family, tools: list[dict[str, Any]]) -> None:
    quoted = MessageContent("assistant", (), "I must look closer.", (ZOOM,))
    seen = MessageContent("tool", ("A view.", ImagePart("2")))
    assert hashed(family, family.opening([ASKED, quoted, seen], tools), PICTURES[:3]) == "1f3678d0e3097a3d"


def test_observations(family: Family) -> None:
    group = [
        MessageContent("tool", ("Closer view of image 1.", ImagePart("2"))),
        MessageContent("tool", ("no box", ImagePart("3"))),
    ]
    assert hashed(family, family.continuation(group, BEFORE), PICTURES[2:]) == "b088f6cea55d0455"


def test_a_question_behind_a_turn(family: Family) -> None:
    group = [MessageContent("user", ("And here?", ImagePart("2")))]
    assert hashed(family, family.continuation(group, BEFORE), PICTURES[2:3]) == "6039252d95c0109f"
    assert hashed(family, family.continuation(group, NOTHING), PICTURES[2:3]) == "0ae126eb7ebdd9a9"


def test_a_correction(family: Family) -> None:
    text = "<|im_end|>" + user_turn(correction("Got a tag inside <think>."), BEFORE.question)
    assert hashed(family, text, []) == "9e425855a81c3dfc"
