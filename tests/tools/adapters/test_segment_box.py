"""segment_box and segment_by_words: what the models' masks become; their libraries' signatures where installed."""

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tools.adapters import segment_box as adapter
from tools.adapters.masks import of_masks
from tools.adapters.provided import WEIGHTS
from tools.images.image import MedicalImage

IMAGE = MedicalImage(np.zeros((100, 200), np.uint8), spacing=(0.5, 0.5))


class Predictor:
    """Answers, as SAM2ImagePredictor does, with float masks (1, height, width): all of the box."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def set_image(self, image: Any) -> None:
        self.shape = image.shape
        assert image.dtype == np.uint8

    def predict(self, box: Any = None, multimask_output: bool = True) -> tuple[Any, Any, Any]:
        assert multimask_output is False
        x1, y1, x2, y2 = box.astype(int)
        mask = np.zeros((1, *self.shape[:2]), np.float32)
        mask[0, y1:y2, x1:x2] = 1
        return mask, np.ones(1), None


def test_a_box_becomes_a_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build, image = ModuleType("sam2.build_sam"), ModuleType("sam2.sam2_image_predictor")
    made: list[tuple[Any, ...]] = []
    vars(build)["build_sam2"] = lambda config_file, ckpt_path=None, device="cuda": made.append((config_file, ckpt_path))
    vars(image)["SAM2ImagePredictor"] = Predictor
    monkeypatch.setitem(sys.modules, "sam2", ModuleType("sam2"))
    monkeypatch.setitem(sys.modules, build.__name__, build)
    monkeypatch.setitem(sys.modules, image.__name__, image)
    monkeypatch.setenv(WEIGHTS, str(tmp_path))
    (tmp_path / "medsam2").mkdir()
    (tmp_path / "medsam2" / "MedSAM2_latest.pt").touch()
    found = adapter.segment_box.apply({"image": 1, "box": [250, 500, 500, 999]}, [IMAGE])
    # 250 / 999 * 200 = 50.05 and 100.1: 50..101; 50.05 and 100: 50..100; 51 x 50 pixels of 0.25 mm2
    assert found.regions[0].box == (50.0, 50.0, 101.0, 100.0)
    assert found.measurements[0].value == pytest.approx(51 * 50 * 0.25)
    assert made == [("configs/sam2.1_hiera_t512.yaml", str(tmp_path / "medsam2" / "MedSAM2_latest.pt"))]


def test_what_was_not_found_is_said() -> None:
    mask = np.zeros((100, 200), bool)
    found = of_masks(IMAGE, [("cyst", mask)], "Model")
    assert (found.text, found.images) == ("Model in image 1: cyst not found.", ())
    mask[10:20, 40:80] = True
    assert of_masks(IMAGE, [("cyst", mask)], "Model").text == "Model in image 1: cyst [200, 100, 400, 200], 100.0 mm2."


def test_the_real_library_takes_these_arguments() -> None:
    build = pytest.importorskip("sam2.build_sam")
    predictor = pytest.importorskip("sam2.sam2_image_predictor")
    inspect.signature(build.build_sam2).bind("configs/x.yaml", "x.pt", device="cpu")
    inspect.signature(predictor.SAM2ImagePredictor.predict).bind(None, box=np.zeros(4), multimask_output=False)
