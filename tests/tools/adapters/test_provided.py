"""Adapters without what they need: a failure that says what to install and where the weights are published."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tools.adapters.provided import WEIGHTS, weights
from tools.errors import ToolFailed
from tools.images.facts import Facts
from tools.images.image import MedicalImage
from tools.images.volume import Volume
from tools.medical_tool import MedicalTool
from tools.registry import load_tools
from tools.run.validation import ToolCall, validated_arguments
from tools.signature import example_call, prompt_line

PICTURE = MedicalImage(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
CT = MedicalImage.of_volume(
    Volume(np.zeros((4, 8, 8), np.int16), 2.0, ((0, 0, 1), (0, 1, 0), (1, 0, 0))), (1.0, 1.0), facts=Facts("CT", "HU")
)
ADAPTERS = {tool.name: tool for tool in load_tools(["adapters"]) if isinstance(tool, MedicalTool)}
PACKAGES = {
    "chest_findings": ("torchxrayvision", r"pip install medvista\[torchxrayvision\]"),
    "find_by_words": ("transformers", r"pip install medvista\[groundingdino\]"),
    "segment_box": ("sam2.build_sam", r"pip install git\+https://github.com/bowang-lab/MedSAM2"),
    "segment_organ": ("totalsegmentator.python_api", r"pip install medvista\[totalsegmentator\]"),
}


def call(name: str) -> None:
    tool = ADAPTERS[name]
    image = CT if name == "segment_organ" else PICTURE
    tool.apply(validated_arguments(tool, ToolCall(**json.loads(example_call(tool))), 1), [image])


def test_each_says_what_it_needs_and_has_a_short_line() -> None:
    assert set(ADAPTERS) == {*PACKAGES, "segment_by_words", "ask_specialist"}
    for tool in ADAPTERS.values():
        assert tool.needs
        assert len(prompt_line(tool)) <= 320


@pytest.mark.parametrize("name", PACKAGES)
def test_without_its_package(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, install = PACKAGES[name]
    monkeypatch.setitem(sys.modules, module, None)  # as Python marks a module that cannot be imported
    with pytest.raises(ToolFailed, match=rf"{name}: got no module {module}, expected it to be installed: {install}"):
        call(name)


def test_without_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEIGHTS, raising=False)
    with pytest.raises(ToolFailed, match=r"find_by_words: MEDVISTA_WEIGHTS is not set; .* from https://huggingface"):
        call("find_by_words")
    monkeypatch.setenv(WEIGHTS, str(tmp_path))
    with pytest.raises(ToolFailed, match=r"got no config\.json, model\.safetensors in MEDVISTA_WEIGHTS/grounding-dino"):
        call("find_by_words")
    with pytest.raises(ToolFailed, match=r"got no biomed_parse\.pt, code/configs/.*github.com/microsoft/BiomedParse"):
        call("segment_by_words")
    with pytest.raises(ToolFailed, match="MEDVISTA_SPECIALIST_URL or MEDVISTA_SPECIALIST_MODEL is not set"):
        call("ask_specialist")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "Dataset297_x").mkdir()
    assert weights("one", "t", "there", "Dataset297_*") == tmp_path / "one"
