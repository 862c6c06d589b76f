"""Each family's rules, against transformers' own processors and templates in each family's format.

The templates are written for these tests: the published tokens and layout, few words. test_published.py has real ones.
"""

import copy
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from PIL import Image

from agent.chat import Episode, PolicyChatModel, family_of
from agent.chat.families.family import NOTHING, Before, Family
from agent.chat.families.find import families
from agent.chat.families.medvista import MedVista
from agent.chat.families.template import TemplateError
from agent.chat.messages import Picture, Said
from agent.encoder import Span
from tests.agent.chat.conftest import Heard
from tools.images.store import ImageStore

PARTS = (
    "{%- macro say(content) -%}{%- if content is string -%}{{ content }}{%- else -%}{%- for part in content -%}"
    "{%- if part.type == 'image' -%}IMAGE{%- else -%}{{ part.text }}{%- endif -%}{%- endfor -%}{%- endif -%}"
    "{%- endmacro -%}"
)
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
TOOLS = (
    "{%- if tools -%}<|im_start|>system\n"
    "{%- if messages[0].role == 'system' -%}{{ say(messages[0].content) }}\n{%- endif -%}"
    "# Tools\n{%- for tool in tools -%}{{ tool | tojson }}\n{%- endfor -%}<|im_end|>\n"
    "{%- elif messages[0].role == 'system' -%}<|im_start|>system\n{{ say(messages[0].content) }}<|im_end|>\n"
    "{%- endif -%}"
)
TURNS = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'tool' -%}"
    "{%- if loop.first or messages[loop.index0 - 1].role != 'tool' -%}<|im_start|>user{%- endif -%}"
    "{{ '\n<tool_response>\n' + say(message.content) + '\n</tool_response>' }}"
    "{%- if loop.last or messages[loop.index0 + 1].role != 'tool' -%}{{ '<|im_end|>\n' }}{%- endif -%}"
    "{%- elif not (message.role == 'system' and loop.first) -%}"
    "{{ '<|im_start|>' + message.role + '\n' }}THOUGHT{{ say(message.content) + '<|im_end|>\n' }}{%- endif -%}"
    "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}OPENER{%- endif -%}"
)
QWEN3 = (PARTS + TOOLS + TURNS).replace("IMAGE", QWEN_IMAGE)
INSTRUCT = QWEN3.replace("THOUGHT", "").replace("OPENER", "")
THINKING = QWEN3.replace(
    "THOUGHT",
    "{%- if message.role == 'assistant' and loop.index0 + 3 > messages | length -%}"
    "{{ '<think>\n\n</think>\n\n' }}{%- endif -%}",
).replace("OPENER", "{{ '<think>\n' }}")
QWEN25 = (
    PARTS.replace("IMAGE", QWEN_IMAGE)
    + "{%- for message in messages -%}{%- if loop.first and message.role != 'system' -%}"
    + "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{%- endif -%}"
    + "{{ '<|im_start|>' + message.role + '\n' + say(message.content) + '<|im_end|>\n' }}{%- endfor -%}"
    + "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
TOOLS_BEFORE_THE_LAST_QUESTION = (
    PARTS.replace("IMAGE", QWEN_IMAGE)
    + "{%- for message in messages -%}{{ '<|im_start|>' + message.role + '\n' }}"
    + "{%- if loop.last and tools -%}{{ tools | tojson }}{%- endif -%}"
    + "{{ say(message.content) + '<|im_end|>\n' }}{%- endfor -%}"
    + "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
INTERNVL = INSTRUCT.replace(QWEN_IMAGE, "<IMG_CONTEXT>\n").replace(TOOLS, "").replace(" and loop.first", " and false")
DROPS_SYSTEM = INSTRUCT.replace(TOOLS, "")
ENDS = {"medvista": 5, "qwen": 6, "internvl": 6}
"""Turns of one question, a call, what it showed and an answer: with a system turn, and with a turn of its own for the
images of tools in Qwen and InternVL."""
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look <|im_end|> closer.",
        "parameters": {"type": "object", "properties": {"image": {"type": "integer"}}, "required": ["image"]},
    },
}


def with_template(processor: Any, template: str) -> Any:
    changed = copy.copy(processor)
    changed.chat_template = template
    return changed


def a_tokenizer(special: Sequence[str], **named: str) -> Any:
    """A byte-level tokenizer with a family's special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe: Any = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(["what is it in the image"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, additional_special_tokens=list(special), extra_special_tokens=named
    )


@pytest.fixture(scope="module")
def internvl() -> Any:
    from transformers import GotOcr2ImageProcessor, InternVLProcessor, InternVLVideoProcessor

    names = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = a_tokenizer(["<|im_start|>", "<|im_end|>", *names.values()], **names)
    images = GotOcr2ImageProcessor(size={"height": 56, "width": 56}, crop_to_patches=True, max_patches=6)
    return InternVLProcessor(
        images, tokenizer, InternVLVideoProcessor(size={"height": 56, "width": 56}), 4, chat_template=INTERNVL
    )


def picture(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture(params=["medvista", "qwen3", "qwen3-thinking", "qwen2.5", "internvl"])
def each(request: pytest.FixtureRequest, processor: Any) -> Family:
    """Every family in turn."""
    made = {
        "medvista": lambda: processor,
        "qwen3": lambda: with_template(processor, INSTRUCT),
        "qwen3-thinking": lambda: with_template(processor, THINKING),
        "qwen2.5": lambda: with_template(processor, QWEN25),
        "internvl": lambda: request.getfixturevalue("internvl"),
    }
    family = family_of(made[request.param]())
    assert family.name == request.param.partition("3")[0].partition("2")[0]
    return family


def test_there_is_one_class_a_file() -> None:
    assert {family.name for family in families()} >= {"internvl", "medvista", "qwen"}


def test_ids_are_those_of_transformers_and_prompts_have_one_placeholder(each: Family) -> None:
    shown = [picture(120, 60), picture(64, 64)]
    group = [Said("user", ("What is it?\n", Picture("1"), "\nAnd this?", Picture("2")))]
    text = each.opening(group)
    tokens = each.tokens(text, shown)
    whole = each.processor(images=[shown], text=[text], add_special_tokens=False)
    assert list(tokens.ids) == list(whole["input_ids"][0])
    pad = each.image_pad
    for span in tokens.spans:
        assert span.length == each.placeholders(span.grid)
        assert set(tokens.ids[span.start : span.start + span.length]) == {pad}
    assert tokens.ids.count(pad) == sum(span.length for span in tokens.spans)
    assert list(tokens.prompt) == each.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokens.prompt.count(pad) == 2


@pytest.mark.parametrize("crops", [True, False])
@pytest.mark.parametrize("size", [(56, 56), (200, 90), (40, 300), (333, 300)])
def test_internvl_counts_tiles_as_its_processor_cuts_them(internvl: Any, crops: bool, size: tuple[int, int]) -> None:
    """What an image processor's file says of cropping is overruled by the processor that engines ask."""
    internvl = copy.copy(internvl)
    internvl.image_processor = copy.copy(internvl.image_processor)
    internvl.image_processor.crop_to_patches = crops
    family, image = family_of(internvl), picture(*size)
    text = family.opening([Said("user", (Picture("1"), "What?"))])
    whole = internvl(images=[image], text=[text], add_special_tokens=False, return_tensors="pt")
    inputs = family.mm_inputs([image])
    assert (inputs["pixel_values"] == whole["pixel_values"]).all()
    assert family.grid(image) == family.grid_of(inputs) == (1, len(whole["pixel_values"]), 4)
    assert list(family.tokens(text, [image]).ids) == whole["input_ids"][0].tolist()


def test_a_bare_template_of_another_way_to_see_is_not_ours(internvl: Any) -> None:
    bare = (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' }}"
        "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
        "{% for part in m['content'] %}{{ '<IMG_CONTEXT>\n' if part['type'] == 'image' else part['text'] }}"
        "{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    assert MedVista.fits(with_template(internvl, bare)) == 0
    assert family_of(with_template(internvl, bare)).name == "internvl"


def test_a_conversation_is_extended_without_drift_with_thoughts_tools_and_images(
    each: Family, store: ImageStore
) -> None:
    call = '{"name": "look", "arguments": {"image": 1}}'
    first = f"<think>\nI must look.\n</think>\n\n<tool_call>\n{call}\n</tool_call>"
    second = "<think>\nI see it.\n</think>\n\nIt is solid."
    turns = [text.removeprefix("<think>\n") if each.opens_thought else text for text in (first, second)]
    end = each.tokenizer.convert_ids_to_tokens(each.end_of_turn)

    class Plays(Heard):
        async def generate(self, token_ids: Any, images: Any, sampling: Any) -> Any:
            self.prompts.append(list(token_ids))
            self.images.append(len(images))
            from agent.policies.policy import Completion

            ids = each.tokenizer(turns[len(self.prompts) - 1] + end, add_special_tokens=False)["input_ids"]
            return Completion(tuple(ids), (-1.0,) * len(ids), "stop", ("v",), None)

    heard = Plays([], each)
    model = PolicyChatModel(policy=heard, family=each, store=store)
    file = io.BytesIO()
    picture(64, 64).save(file, "PNG")
    import base64

    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    image = {"type": "image_url", "image_url": {"url": url}}
    asked = HumanMessage([image, {"type": "text", "text": "What is it?"}])
    with Episode().recording() as episode:
        said = model.invoke([asked], tools=[TOOL])
        assert said.tool_calls[0]["args"] == {"image": 1}
        assert said.additional_kwargs["reasoning_content"] == "I must look."
        answer = ToolMessage([{"type": "text", "text": "A view."}, image], tool_call_id=said.tool_calls[0]["id"])
        last = model.invoke([asked, said, answer], tools=[TOOL])
    assert (last.text, heard.images) == ("It is solid.", [1, 2])
    (row,) = episode.rows()
    assert len(row.ledger.sampled) == 2
    text = each.decode(row.ledger.ids)
    assert "I must look." in text  # the thought of an earlier turn is kept
    assert text.count(end) == ENDS[each.name], text
    spans = [Span(placed.start, placed.length, placed.grid) for placed in row.ledger.images]
    assert each.prompt(row.ledger.ids, spans)[: len(heard.prompts[1])] == heard.prompts[1]
    grids = {placed.grid: each.placeholders(placed.grid) for placed in row.ledger.images}
    assert list(row.ledger.faults(each.image_pad, grids)) == []


def test_no_message_can_forge_control_tokens(each: Family) -> None:
    tokenizer = each.tokenizer
    controls = [*each.banned, each.end_of_turn]
    forged = "".join([*tokenizer.all_special_tokens, *tokenizer.convert_ids_to_tokens(controls)])
    honest = each.opening([Said("user", ("x",))], [replace_description(TOOL, "x")])
    faked = each.opening([Said("user", (forged,))], [replace_description(TOOL, forged)])
    specials = {*tokenizer.all_special_ids, *controls}
    count = [sum(token in specials for token in each.tokens(text, []).ids) for text in (honest, faked)]
    assert count[0] == count[1]


def replace_description(tool: dict[str, Any], description: str) -> dict[str, Any]:
    return {**tool, "function": {**tool["function"], "description": description}}


def test_tools_are_described_by_the_template_or_by_us(each: Family) -> None:
    text = each.opening([Said("system", ("Be brief.",)), Said("user", ("What?",))], [TOOL])
    assert text.count("look") == 1
    assert "Be brief." in text
    assert each.shows_tools == ("# Tools" in text and "<tools>" not in text)


def test_images_of_tools_follow_in_a_user_turn_in_qwen(processor: Any) -> None:
    family = family_of(with_template(processor, INSTRUCT))
    group = [Said("tool", ("One.", Picture("2"))), Said("tool", ("Two.", Picture("3")))]
    assert family.continuation(group, Before(1, "What?")) == (
        "<|im_end|>\n<|im_start|>user\n<tool_response>\nOne.\n</tool_response>\n<tool_response>\nTwo.\n</tool_response>"
        "<|im_end|>\n<|im_start|>user\nWhat the tools show:\n"
        f"Image 2: {QWEN_IMAGE}\nImage 3: {QWEN_IMAGE}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_template_that_drifts_is_refused_with_the_place(processor: Any) -> None:
    with pytest.raises(
        TemplateError, match=r"cannot be extended without drift: what stands before turn 1 is .*function"
    ):
        family_of(with_template(processor, TOOLS_BEFORE_THE_LAST_QUESTION))


def test_a_template_that_leaves_something_out_is_refused(processor: Any) -> None:
    with pytest.raises(TemplateError, match="it leaves out the system message"):
        family_of(with_template(processor, DROPS_SYSTEM))


def test_a_checkpoint_of_no_family_is_refused() -> None:
    class Unknown:
        tokenizer = a_tokenizer(["<|im_end|>"])

    with pytest.raises(TemplateError, match="whose image tokens no family knows, expected one of internvl"):
        family_of(Unknown())


def test_a_foreign_turn_is_written_in_the_familys_way(each: Family) -> None:
    from agent.chat.messages import Call

    said = Said("assistant", ("It is solid.",), "I see.", (Call("look", '{"image": 1}'),))
    text = each.opening([Said("user", ("What?",)), said, Said("tool", ("A view.",))])
    assert '{"name": "look", "arguments": {"image": 1}}' in text
    assert each.opening([Said("user", ("What?",)), replace(said, calls=())], ()) != text
    assert Before(0, "") == NOTHING


def test_what_langchain_messages_say(store: ImageStore) -> None:
    """Blocks of other providers say the same as ours."""
    from agent.chat.images import Pictures
    from agent.chat.messages import said

    blocks = [
        {"type": "thinking", "thinking": "I see."},
        {"type": "text", "text": "It is solid."},
        {"type": "tool_use", "id": "1", "name": "look", "input": {}},
    ]
    call: Any = {"name": "look", "args": {"b": 1, "a": 2}, "id": "1", "type": "tool_call"}
    other = AIMessage(blocks, tool_calls=[call])  # pyright: ignore[reportArgumentType]
    ours = AIMessage("It is solid.", tool_calls=[call], additional_kwargs={"reasoning_content": "I see."})
    pictures = Pictures(store)
    assert said(other, pictures) == said(ours, pictures)
    assert said(ours, pictures).calls[0].arguments == '{"a": 2, "b": 1}'
