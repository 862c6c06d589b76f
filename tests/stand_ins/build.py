"""Stand-ins for downloaded checkpoints: real tokenizers and chat templates, small random weights."""

from pathlib import Path

from tests.stand_ins.models import internvl3, qwen2_5_vl, qwen3_vl

MADE_BY = {
    "qwen3_vl_instruct": qwen3_vl,
    "qwen3_vl_thinking": qwen3_vl,
    "qwen2_5_vl": qwen2_5_vl,
    "internvl3": internvl3,
}
"""Every stand-in by its name."""


def stand_in(name: str, into: Path) -> Path:
    """The folder of a stand-in, built below `into` where it is not there yet; skips the test where it can't be."""
    if not (into / name).is_dir():
        model, processor = MADE_BY[name](name)
        model.save_pretrained(into / name)
        processor.save_pretrained(into / name)
    return into / name
