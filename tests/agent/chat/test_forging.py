"""Nothing that a message, a tool or a tool's description says can be taken for what a family's chat is made of.

Tokenizers and templates as they are published, where they lie beside the checkout.
"""

import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.chat import family_of
from agent.chat.families.family import NOTHING, Family
from agent.chat.messages import CallPart, ImagePart, MessageContent
from tests.agent.chat.test_families import INSTRUCT, INTERNVL, QWEN25, THINKING, with_template
from tests.agent.chat.test_families import internvl as internvl

REAL = Path(__file__).parents[4] / "shared" / "real_models"
PUBLISHED = {
    "qwen3_vl_instruct": "qwen3_vl_instruct",
    "qwen3_vl_thinking": "qwen3_vl_instruct",
    "qwen2_5_vl": "qwen2_5_vl",
    "internvl3": "qwen2_5_vl",
}
"""Folder of the template: folder of its tokenizer."""
WRITTEN = {"qwen3": INSTRUCT, "qwen3-thinking": THINKING, "qwen2.5": QWEN25, "internvl": INTERNVL}
TAG = re.compile(r"</?[A-Za-z_|][\w|]*>")


@cache
def published(name: str) -> Any:
    """A processor of a published tokenizer and template."""
    folder = REAL / PUBLISHED[name]
    if not (folder / "tokenizer.json").exists():
        pytest.skip(f"needs the published tokenizers in {REAL}")
    from transformers import AutoTokenizer

    load: Any = AutoTokenizer.from_pretrained  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    tokenizer = load(folder)
    tokenizer.chat_template = (REAL / name / "chat_template.jinja").read_text(encoding="utf-8")
    if name == "internvl3":
        tokenizer.add_special_tokens({"additional_special_tokens": ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"]})
    size = {"shortest_edge": 3136, "longest_edge": 1_000_000}
    images = SimpleNamespace(merge_size=2, patch_size=16, size=size)
    return SimpleNamespace(
        tokenizer=tokenizer,
        image_processor=images,
        image_seq_length=4,
        _get_num_multimodal_tokens=lambda image_sizes: {"num_image_tokens": [4 + 2]},
    )


@pytest.fixture(params=[*(pytest.param(name, marks=pytest.mark.slow) for name in PUBLISHED), *WRITTEN], scope="module")
def each(request: pytest.FixtureRequest, processor: Any) -> tuple[Family, str]:
    """Each family, and its template."""
    if request.param in PUBLISHED:
        made = published(request.param)
        family = family_of(made)
        assert family.name == request.param.partition("2")[0].partition("3")[0].rstrip("_")
        return family, made.tokenizer.chat_template
    if request.param == "internvl":
        made = request.getfixturevalue(request.param)
    else:
        made = with_template(processor, WRITTEN[request.param])
    return family_of(made), made.chat_template


def marks(family: Family, template: str) -> list[str]:
    """Every string that means something in this family's chats: its control tokens, and the tags of its template."""
    tokenizer = family.tokenizer
    added = [str(token) for token in tokenizer.added_tokens_decoder.values()]
    named = [*filter(TAG.fullmatch, added), *tokenizer.all_special_tokens, *TAG.findall(template)]
    own = [f"<{slash}{name}>" for name in ("tools", "tool_call", "tool_response", "think") for slash in ("", "/")]
    return sorted({*named, *own} - {"<answer>", "</answer>"})  # our protocol's: they end no turn of a template's


def test_plain_text_holds_no_mark_of_the_template(each: tuple[Family, str]) -> None:
    family, template = each
    known = marks(family, template)
    assert len(known) > 5
    for mark in known:
        for text in (mark, f"a{mark}b", mark * 2, f"<{mark}", f"{mark[0]}{mark}{mark[1:]}"):
            assert mark not in family.plain(text), mark
    everything = "".join(known)
    assert [mark for mark in known if mark in family.plain(everything)] == []
    assert family.plain("a < b, x<y> and <b>bold</b>") == "a < b, x<y> and <b>bold</b>"


def text_of(family: Family, words: str) -> list[str]:
    """What a question, what a tool says and what a tool is described by become, each in its place."""
    function = {"name": "look", "description": words, "parameters": {"type": "object", "properties": {}}}
    tool = {"type": "function", "function": function}
    asked = MessageContent("user", ("What?",))
    return [
        family.opening([MessageContent("user", (words,))]),
        family.opening([MessageContent("user", (words, ImagePart("1")))]),
        family.opening([MessageContent("system", (words,)), asked]),
        family.opening([asked], [tool]),
        family.continuation([MessageContent("tool", (words,))], NOTHING),
        family.continuation([MessageContent("tool", (words, ImagePart("1")))], NOTHING),
        family.continuation([MessageContent("user", (words,))], NOTHING),
    ]


def test_no_place_of_a_conversation_can_be_forged(each: tuple[Family, str]) -> None:
    family, template = each
    known = marks(family, template)
    for place, (honest, forged) in enumerate(
        zip(text_of(family, "x"), text_of(family, "x" + "".join(known)), strict=True)
    ):
        assert {mark: forged.count(mark) for mark in known} == {mark: honest.count(mark) for mark in known}, place


def test_a_mark_that_is_cut_in_two_parts_is_one(each: tuple[Family, str]) -> None:
    family, template = each
    known = marks(family, template)
    for role in ("user", "tool"):
        cut = MessageContent(role, (*(half for mark in known for half in (mark[:2], mark[2:])), ImagePart("1")))
        forged, honest = (
            family.continuation([said], NOTHING) for said in (cut, MessageContent(role, ("x", ImagePart("1"))))
        )
        assert {mark: forged.count(mark) for mark in known} == {mark: honest.count(mark) for mark in known}, role


def test_a_turn_that_nobody_sampled_keeps_its_own_tags(each: tuple[Family, str]) -> None:
    family, _ = each
    end = family.tokenizer.convert_ids_to_tokens(family.end_of_turn)
    said = MessageContent("assistant", (f"It is{end} solid.",), "I see.", (CallPart("look", '{"image": 1}'),))
    text = family.continuation([MessageContent("user", ("Well?",)), said, MessageContent("user", ("And?",))], NOTHING)
    assert '<tool_call>\n{"name": "look", "arguments": {"image": 1}}\n</tool_call>' in text
    assert f"It is{end}" not in text
