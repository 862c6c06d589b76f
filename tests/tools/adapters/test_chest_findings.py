"""chest_findings: TorchXRayVision's own model with random weights, in a file named as the published one."""

from pathlib import Path

import numpy as np
import pytest

from tools.adapters.chest_findings import MODEL, chest_findings
from tools.adapters.provided import WEIGHTS
from tools.errors import ToolFailed
from tools.images.image import MedicalImage


@pytest.mark.slow
def test_every_pathology_is_rated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    xrv = pytest.importorskip("torchxrayvision")
    import torch

    monkeypatch.setenv(WEIGHTS, str(tmp_path))
    x_ray = MedicalImage(np.random.default_rng(0).integers(0, 4096, (300, 260), dtype=np.uint16))
    with pytest.raises(ToolFailed, match=r"got no nih-pc-chex.*\.pt in MEDVISTA_WEIGHTS/torchxrayvision"):
        chest_findings.apply({"image": 1, "most": 3}, [x_ray])
    torch.manual_seed(0)
    file = xrv.models.model_urls[MODEL]["weights_url"].rsplit("/", 1)[-1]
    (tmp_path / "torchxrayvision").mkdir()
    torch.save(xrv.models.DenseNet(), tmp_path / "torchxrayvision" / file)
    found = chest_findings.apply({"image": 1, "most": 3}, [x_ray])
    names = {each.name for each in found.measurements}
    assert {"Effusion", "Pneumothorax", "Nodule", "Cardiomegaly"} <= names
    assert all(0 <= each.value <= 1 for each in found.measurements)
    assert found.text.count(", ") == 3  # "taken as ..." and three findings
