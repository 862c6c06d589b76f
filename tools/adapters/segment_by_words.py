"""segment_by_words: masks of what words describe, by BiomedParse.

Zhao et al., A foundation model for joint segmentation, detection and recognition of biomedical objects across nine
modalities, Nature Methods 2025 (version 1 of the code). It is no package: a checkout of its repository lies beside its
weights, and its modules are imported from there. It puts its tensors on a CUDA device itself, so it needs one.
"""

import os
import sys
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tools.adapters.masks import of_masks
from tools.adapters.provided import device, library, weights
from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.pixels import resized_mask
from tools.medical_tool import medical_tool

FILE, CONFIGURATION = "biomed_parse.pt", "code/configs/biomedparse_inference.yaml"
INSTALL = (
    "git clone https://github.com/microsoft/BiomedParse into MEDVISTA_WEIGHTS/biomedparse/code, and what it requires"
)
PUBLISHED = "https://huggingface.co/microsoft/BiomedParse (version 1)"
SURE = 0.5


@medical_tool(family="adapters", version="1", needs="a checkout of microsoft/BiomedParse, weights, and a GPU")
def segment_by_words(
    image: MedicalImage,
    words: Annotated[str, Field(min_length=1, max_length=200, examples=["liver in abdomen CT"])],
) -> Evidence:
    """Outline and measure what words describe (organ and modality help), with BiomedParse.

    Several things are parted by full stops.
    """
    prompts = [part.strip() for part in words.split(".") if part.strip()]
    if not prompts:
        raise ToolRetry(f"segment_by_words: got words {words!r}, expected what to outline, e.g. liver in abdomen CT.")
    library("torch", "segment_by_words", "pip install medvista[train]")
    folder = weights("biomedparse", "segment_by_words", f"{PUBLISHED}; {INSTALL}", FILE, CONFIGURATION)
    if device() != "cuda":
        raise ToolFailed("segment_by_words: got no CUDA device, expected one: BiomedParse runs on nothing else.")
    infer, model = _model(folder)
    answer = infer(model, image.display().convert("RGB"), prompts)
    shares = np.asarray(answer[0] if isinstance(answer, tuple) else answer, np.float32)
    masks = [resized_mask(each > SURE, image.width, image.height) for each in shares]
    return of_masks(image, list(zip(prompts, masks, strict=True)), "BiomedParse")


@cache
def _model(folder: Path) -> tuple[Any, Any]:
    import torch

    code = str(folder / "code")
    if code not in sys.path:
        sys.path.insert(0, code)
    here = os.getcwd()
    os.chdir(code)  # its configuration names files beside it
    try:
        names = (
            "modeling",
            "modeling.BaseModel",
            "utilities.distributed",
            "utilities.arguments",
            "utilities.constants",
        )
        modeling, base, distributed, arguments, constants = (
            library(name, "segment_by_words", INSTALL) for name in names
        )
        options = distributed.init_distributed(arguments.load_opt_from_config_files([str(folder / CONFIGURATION)]))
        model = base.BaseModel(options, modeling.build_model(options)).from_pretrained(str(folder / FILE)).eval().cuda()
        with torch.no_grad():
            encoder = model.model.sem_seg_head.predictor.lang_encoder
            encoder.get_text_embeddings([*constants.BIOMED_CLASSES, "background"], is_eval=True)
        return library("inference_utils.inference", "segment_by_words", INSTALL).interactive_infer_image, model
    finally:
        os.chdir(here)
