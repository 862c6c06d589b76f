"""chest_findings: how likely each of some eighteen findings is in a chest x-ray, by TorchXRayVision.

Cohen, Viviano et al., TorchXRayVision: a library of chest x-ray datasets and models, MIDL 2022: a DenseNet-121 that was
trained on seven public sets. Its outputs are calibrated so that 0.5 is the model's operating point; they are no
probabilities of disease in a patient.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tools.adapters.provided import library, weights
from tools.evidence import Evidence, Measurement
from tools.images.image import MedicalImage
from tools.images.pixels import shown_greys
from tools.medical_tool import medical_tool

MODEL = "densenet121-res224-all"
INSTALL = "pip install medvista[torchxrayvision]"
PUBLISHED = "https://github.com/mlmed/torchxrayvision/releases"
SIDE = 224


@medical_tool(family="adapters", version="1", needs=f"{INSTALL}, and weights")
def chest_findings(image: MedicalImage, most: Annotated[int, Field(ge=1, le=18)] = 6) -> Evidence:
    """Rate how likely findings (effusion, nodule, pneumothorax ...) are in a frontal chest x-ray.

    The most likely ones are told; 0.5 is the model's operating point.
    """
    xrv = library("torchxrayvision", "chest_findings", INSTALL)
    file = str(xrv.models.model_urls[MODEL]["weights_url"]).rsplit("/", 1)[-1]
    model = _model(weights("torchxrayvision", "chest_findings", PUBLISHED, file))
    found = rated(xrv, model, np.rint(shown_greys(image) * 255))
    told = sorted(found.items(), key=lambda each: -each[1])[:most]
    return Evidence(
        text=f"TorchXRayVision on image {image.number}, taken as a frontal chest x-ray (0.5: operating point): "
        + ", ".join(f"{name.replace('_', ' ').lower()} {value:.2f}" for name, value in told)
        + ".",
        measurements=tuple(Measurement(name=name, value=value, unit="1") for name, value in found.items()),
    )


def rated(xrv: Any, model: Any, greys: Any) -> dict[str, float]:
    """Each pathology that the model was trained on with its rating, for greys of 0 to 255, (height, width)."""
    import torch

    tensors: Any = torch
    picture = xrv.utils.normalize(greys.astype(np.float32), 255)[None]
    picture = xrv.datasets.XRayResizer(SIDE)(xrv.datasets.XRayCenterCrop()(picture))
    with torch.inference_mode():
        answer = model(tensors.from_numpy(picture)[None])[0]
    return {str(name): float(value) for name, value in zip(model.pathologies, answer, strict=True) if name}


@cache
def _model(folder: Path) -> Any:
    xrv = library("torchxrayvision", "chest_findings", INSTALL)
    return xrv.models.DenseNet(weights=MODEL, cache_dir=f"{folder}/")
