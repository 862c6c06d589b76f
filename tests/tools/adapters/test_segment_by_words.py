"""segment_by_words: what BiomedParse's own function gives for an image and its prompts, told and drawn; a stand-in."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tools.adapters.provided import WEIGHTS
from tools.errors import ToolFailed, ToolRetry
from tools.images.image import MedicalImage
from tools.registry import load_tools

(segment_by_words,) = load_tools(["segment_by_words"])
module = importlib.import_module("tools.adapters.segment_by_words")
SCAN = MedicalImage(np.random.default_rng(0).integers(0, 256, (60, 80), dtype=np.uint8), spacing=(0.5, 0.5))


def segment(words: str) -> Any:
    return segment_by_words.apply({"image": 1, "words": words}, [SCAN])  # type: ignore[attr-defined]


@pytest.fixture
def provided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "biomedparse"
    for file in (module.FILE, module.CONFIGURATION):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    monkeypatch.setenv(WEIGHTS, str(tmp_path))


def infer(model: object, image: Image.Image, prompts: list[str]) -> np.ndarray:
    """As `interactive_infer_image` of its repository: shares, (prompts, height, width), of the image's own size."""
    assert (model, image.mode, image.size) == ("model", "RGB", (80, 60))
    shares = np.zeros((len(prompts), 60, 80), np.float32)
    shares[0, 10:30, 20:60] = 0.9
    shares[0, 30:40, 20:60] = 0.4  # not sure enough
    return shares


def test_two_prompts_one_found(provided: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "device", lambda: "cuda")
    monkeypatch.setattr(module, "_model", lambda folder: (infer, "model"))
    found = segment("liver in abdomen CT. spleen in abdomen CT")
    # 20 x 40 pixels of 0.25 mm2
    assert [(each.name, each.value, each.unit) for each in found.measurements] == [
        ("area of liver in abdomen CT", 200, "mm2")
    ]
    assert found.regions[0].box == (20, 10, 60, 30)
    assert "spleen in abdomen CT not found" in found.text
    assert found.images[0].size == SCAN.size


def test_what_is_missing_is_said(provided: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ToolRetry, match="expected what to outline"):
        segment(" . ")
    monkeypatch.setattr(module, "device", lambda: "cpu")
    with pytest.raises(ToolFailed, match="got no CUDA device"):
        segment("liver in abdomen CT")
