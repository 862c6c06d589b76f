"""segment_box: the outline of what lies in a box, by MedSAM2.

Ma et al., MedSAM2: Segment Anything in 3D Medical Images and Videos, 2025: SAM 2 (Ravi et al. 2024) tuned on medical
images. Its package is that of SAM 2 with configurations of its own; a picture is segmented by SAM 2's image predictor.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tools.adapters.masks import of_masks
from tools.adapters.provided import device, library, weights
from tools.evidence import Evidence
from tools.geometry import Box
from tools.images.image import MedicalImage
from tools.images.pixels import shown_colours, whole_box
from tools.medical_tool import medical_tool

INSTALL = "pip install git+https://github.com/bowang-lab/MedSAM2"
PUBLISHED = "https://huggingface.co/wanglab/MedSAM2"
CONFIGURATION, FILE = "configs/sam2.1_hiera_t512.yaml", "MedSAM2_latest.pt"


@medical_tool(family="adapters", version="1", needs=f"{INSTALL}, and weights")
def segment_box(image: MedicalImage, box: Box) -> Evidence:
    """Outline and measure the organ or lesion in a box, with MedSAM2."""
    library("sam2.build_sam", "segment_box", INSTALL)
    folder = weights("medsam2", "segment_box", PUBLISHED, FILE)
    around = whole_box(image, box, "segment_box")
    predictor = _predictor(folder)
    predictor.set_image(shown_colours(image))
    masks, _, _ = predictor.predict(box=np.asarray(around, np.float32), multimask_output=False)
    return of_masks(image, [("segment", np.asarray(masks[0]) > 0)], "MedSAM2")


@cache
def _predictor(folder: Path) -> Any:
    build = library("sam2.build_sam", "segment_box", INSTALL)
    predictor = library("sam2.sam2_image_predictor", "segment_box", INSTALL)
    return predictor.SAM2ImagePredictor(build.build_sam2(CONFIGURATION, str(folder / FILE), device=device()))
