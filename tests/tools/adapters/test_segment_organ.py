"""segment_organ: the volume reaches the library in NIfTI's frame; its answer is measured in millilitres, by hand.

The library and its weights are too large for a test: a function of its signature answers in its place, and where it is
installed the signature is compared.
"""

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tools.adapters.provided import WEIGHTS
from tools.adapters.segment_organ import nifti, segment_organ
from tools.errors import ToolFailed, ToolRetry
from tools.images.image import MedicalImage
from tools.images.limits import Limits
from tools.images.nifti import read_nifti
from tools.images.volume import Volume

DIRECTIONS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
CT = MedicalImage.of_volume(Volume(np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7), 2.0, DIRECTIONS), (1.0, 0.5))


def test_the_frame_is_niftis(tmp_path: Path) -> None:
    made = nifti(CT, CT.volume) if CT.volume else None
    assert made is not None
    # columns go left (0.5 mm), rows back (1 mm), slices to the head (2 mm); NIfTI's axes right, front, head
    assert np.diag(made.affine)[:3].tolist() == [-0.5, -1.0, 2.0]
    again = read_nifti(made.to_bytes(), Limits())
    assert again.volume is not None
    assert (again.volume.voxels == CT.measured).all()
    assert (again.spacing, again.volume.slice_spacing) == ((1.0, 0.5), 2.0)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Answers with label 5 in slices 2 and 3, rows 1 and 2, columns 3 to 5; keeps what it was asked."""
    import nibabel

    asked: dict[str, Any] = {}

    def totalsegmentator(
        input: Any, output: Any = None, fast: bool = False, task: str = "total", roi_subset: Any = None,
        quiet: bool = False, device: str = "gpu",
    ) -> Any:  # fmt: skip
        api.send_usage_stats({}, {"roi_subset": roi_subset})
        asked.update(fast=fast, task=task, roi_subset=roi_subset, device=device)
        labels = np.zeros((5, 6, 7), np.uint8)
        labels[1:3, 1:3, 3:6] = 5
        labels[1, 1, 3] = 0
        return nibabel.Nifti1Image(labels.transpose(2, 1, 0), input.affine)

    api, names = ModuleType("totalsegmentator.python_api"), ModuleType("totalsegmentator.map_to_binary")
    vars(api)["totalsegmentator"] = totalsegmentator
    vars(api)["send_usage_stats"] = lambda *_: pytest.fail("a server was told of the run")
    vars(names)["class_map"] = {"total": {4: "gallbladder", 5: "liver"}}
    monkeypatch.setitem(sys.modules, "totalsegmentator", ModuleType("totalsegmentator"))
    monkeypatch.setitem(sys.modules, api.__name__, api)
    monkeypatch.setitem(sys.modules, names.__name__, names)
    monkeypatch.setenv(WEIGHTS, str(tmp_path))
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", "")
    for number in (297, 298):
        (tmp_path / "totalsegmentator" / f"Dataset{number}_x").mkdir(parents=True)
    return asked


def test_an_organ_is_measured_and_shown(stand_in: dict[str, Any]) -> None:
    found = segment_organ.apply({"image": 1, "organ": "Liver"}, [CT])
    # 12 voxels but one, of 2 x 1 x 0.5 mm = 1 mm3: 11 mm3
    assert found.measurements[0].value == pytest.approx(0.011)
    assert "in slices 2 to 3 of image 1; slice 3" in found.text
    assert found.regions[0].box == (3.0, 1.0, 6.0, 3.0)
    assert str(found.regions[0].section) == "slices 2 to 3"
    assert (found.images[0].pixels[1, 3] != found.images[0].pixels[1, 2]).any()
    assert stand_in["roi_subset"] == ["liver"]
    assert stand_in["fast"] is True


def test_what_it_cannot_do_is_said(stand_in: dict[str, Any]) -> None:
    with pytest.raises(ToolRetry, match="near it: liver"):
        segment_organ.apply({"image": 1, "organ": "livr"}, [CT])
    with pytest.raises(ToolRetry, match="expected the image of a whole volume"):
        segment_organ.apply({"image": 1, "organ": "liver"}, [MedicalImage(CT.pixels)])
    with pytest.raises(ToolFailed, match="without spacing and directions"):
        segment_organ.apply({"image": 1, "organ": "liver"}, [MedicalImage.of_volume(Volume(CT.measured))])


def test_the_real_library_takes_these_arguments() -> None:
    api = pytest.importorskip("totalsegmentator.python_api")
    assert callable(api.send_usage_stats)  # the name that the adapter puts another one in the place of
    inspect.signature(api.totalsegmentator).bind(
        None, None, fast=True, task="total", roi_subset=["liver"], quiet=True, device="cpu"
    )
