"""Tokenizers and chat templates as they are published, out of files that other packages ship.

Templates come from ../shared/real_models where it is there (data with their licences, no part of this repository), else
out of the `trl` wheel, which has two of them; the vocabulary comes out of the `dashscope` wheel. Both packages
(Apache-2.0) are installed for these files alone: neither is ever imported.
"""

from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pytest
from transformers import AddedToken, Qwen2Tokenizer
from transformers.convert_slow_tokenizer import TikTokenConverter

SHARED = Path(__file__).parents[3] / "shared" / "real_models"
IN_TRL = {"qwen3_vl_instruct": "qwen3_vl.jinja", "qwen2_5_vl": "qwen2_5_vl.jinja"}
FIRST_ADDED = 151643
"""Qwen's vocabulary ends before it; the tokens below follow in order."""
SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
PLAIN = (
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>"),
)
"""Control tokens that Qwen's tokenizers do not call special."""
QWEN2_5 = {**dict.fromkeys(SPECIAL, True), **dict.fromkeys(PLAIN, False)}
"""The tokens that Qwen2.5 adds, and whether each is special."""
QWEN3 = QWEN2_5 | dict.fromkeys(("<tool_response>", "</tool_response>", "<think>", "</think>"), False)
INTERNVL3 = QWEN2_5 | dict.fromkeys(
    ("<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>", "<video>"), True
)


def template(name: str) -> str:
    """A stand-in's chat template; skips the test that asks where this machine has none."""
    found = SHARED / name / "chat_template.jinja"
    if not found.is_file():
        if name not in IN_TRL:
            pytest.skip(f"got no {found}, and no package ships the template that {name} is made of")
        found = shipped("trl", f"chat_templates/{IN_TRL[name]}")
    return found.read_text(encoding="utf-8")


def tokenizer(added: dict[str, bool], **settings: object) -> Qwen2Tokenizer:
    """Qwen's tokenizer with these tokens behind its vocabulary."""
    vocabulary, merges = vocabulary_and_merges()
    tokens = [AddedToken(text, normalized=False, special=special) for text, special in added.items()]
    return Qwen2Tokenizer(
        vocab=vocabulary,
        merges=merges,
        added_tokens_decoder=dict(enumerate(tokens, FIRST_ADDED)),
        unk_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=[token for token in SPECIAL if token != "<|endoftext|>"],
        **settings,
    )


@cache
def vocabulary_and_merges() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Of all Qwen models since Qwen2: they were published with Qwen's, whose ids are the ranks in this file."""
    file = str(shipped("dashscope", "resources/qwen.tiktoken"))
    return TikTokenConverter(file).extract_vocab_merges_from_model(file)


def shipped(package: str, file: str) -> Path:
    """A file inside an installed package."""
    return Path(str(distribution(package).locate_file(f"{package}/{file}")))
