"""What other packages ship is what was published, and stand-ins are made of it alone where there is nothing else."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tests.stand_ins import published
from tests.stand_ins.published import IN_TRL, QWEN2_5, QWEN3, SHARED, shipped, template, tokenizer

TEXTS = (
    'Where is it?\n<tool_call>\n{"name": "zoom_in", "arguments": {"box": [0, 12, 999]}}\n</tool_call><|im_end|>\n',
    "<think>\nRechts oben, 3,5 mm gross; 左肺に結節。 Где? أين؟ 🩻\n\n\t</think>\n\n  x1  =  \u00e9 e\u0301",
)
published_here = pytest.mark.skipif(not SHARED.is_dir(), reason=f"got no {SHARED}, with which they are compared")


@published_here
@pytest.mark.parametrize(("name", "added"), [("qwen3_vl_instruct", QWEN3), ("qwen2_5_vl", QWEN2_5)])
def test_the_tokenizer_is_the_published_one(name: str, added: dict[str, bool]) -> None:
    ours, theirs = tokenizer(added), AutoTokenizer.from_pretrained(SHARED / name)
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.added_tokens_decoder == theirs.added_tokens_decoder
    assert (ours.special_tokens_map, ours.all_special_ids) == (theirs.special_tokens_map, theirs.all_special_ids)
    texts = [*TEXTS, *(file.read_text(encoding="utf-8") for file in (Path(__file__).parents[2] / "docs").glob("*.md"))]
    assert ours(texts)["input_ids"] == theirs(texts)["input_ids"]


@published_here
@pytest.mark.parametrize("name", IN_TRL)
def test_the_template_is_the_published_one(name: str) -> None:
    assert (
        shipped("trl", f"chat_templates/{IN_TRL[name]}").read_bytes()
        == (SHARED / name / "chat_template.jinja").read_bytes()
    )


def test_a_template_that_nobody_ships_skips_the_test_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "SHARED", Path("/nowhere"))
    assert "<|vision_start|>" in template("qwen3_vl_instruct")
    with pytest.raises(pytest.skip.Exception, match=r"got no /nowhere/internvl3/.*, and no package ships the template"):
        template("internvl3")
