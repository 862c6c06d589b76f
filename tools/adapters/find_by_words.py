"""find_by_words: boxes of what words describe, by Grounding DINO.

Liu et al., Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set Object Detection, ECCV 2024, in the
implementation of transformers. The published weights were trained on everyday pictures: what they find in medical
images is to be checked by looking; weights that were tuned on medical ones load the same way.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from tools.adapters.provided import device, library, weights
from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.images.drawing import COLOURS, rectangle, shown_as, write
from tools.images.image import MedicalImage
from tools.images.pixels import WholeBox, box_words, shown_colours
from tools.medical_tool import medical_tool

INSTALL = "pip install medvista[groundingdino]"
PUBLISHED = "https://huggingface.co/IDEA-Research/grounding-dino-tiny"
MOST = 20


@medical_tool(family="adapters", version="1", needs=f"{INSTALL}, and weights")
def find_by_words(
    image: MedicalImage,
    words: Annotated[str, Field(min_length=1, max_length=200, examples=["lung nodule"])],
    threshold: Annotated[float, Field(ge=0.05, le=0.95, allow_inf_nan=False)] = 0.3,
) -> Evidence:
    """Find what words describe, as boxes with scores.

    Several things are parted by full stops; the threshold is the least score.
    """
    library("transformers", "find_by_words", INSTALL)
    folder = weights("grounding-dino", "find_by_words", PUBLISHED, "config.json", "model.safetensors")
    asked = ". ".join(part.strip().lower() for part in words.split(".") if part.strip())
    if not asked:
        raise ToolRetry(f"find_by_words: got words {words!r}, expected what to look for, e.g. lung nodule.")
    found = _detected(image, f"{asked}.", threshold, folder)[:MOST]
    picture = shown_colours(image)
    names: list[tuple[str, tuple[float, float]]] = []
    for number, (_, box, _) in enumerate(found, 1):
        rectangle(picture, box, COLOURS[(number - 1) % len(COLOURS)])
        names.append((str(number), (box[0] + 3.0, box[1] + 2.0)))
    told = "; ".join(
        f"{number} {label} {box_words(image, box)} {score:.2f}" for number, (label, box, score) in enumerate(found, 1)
    )
    return Evidence(
        text=f"Grounding DINO in image {image.number}: {told or f'no {asked} above {threshold:g}'}.",
        images=(shown_as(image, write(picture, names)),) if found else (),
        regions=tuple(region for label, box, _ in found for region in regions_of(image, box, label)),
        measurements=tuple(Measurement(name=f"score {n}", value=each[2], unit="1") for n, each in enumerate(found, 1)),
    )


def _detected(image: MedicalImage, words: str, threshold: float, folder: Path) -> list[tuple[str, WholeBox, float]]:
    """(label, box in whole pixels, score), the surest first."""
    import torch

    processor, model = _model(folder)
    inputs = processor(images=image.display().convert("RGB"), text=words, return_tensors="pt").to(model.device)
    with torch.inference_mode():
        outputs = model(**inputs)
    (found,) = processor.post_process_grounded_object_detection(
        outputs, inputs.input_ids, threshold=threshold, text_threshold=threshold, target_sizes=[image.size[::-1]]
    )
    listed: list[tuple[str, WholeBox, float]] = []
    for label, box, score in zip(found["text_labels"], found["boxes"].cpu(), found["scores"].cpu(), strict=True):
        x1, y1, x2, y2 = np.clip(np.rint(box.numpy()), 0, [*image.size, *image.size]).astype(int).tolist()
        if x1 < x2 and y1 < y2:
            listed.append((str(label) or words.rstrip("."), (x1, y1, x2, y2), float(score)))
    return sorted(listed, key=lambda each: -each[2])


@cache
def _model(folder: Path) -> tuple[Any, Any]:
    transformers = library("transformers", "find_by_words", INSTALL)
    processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = transformers.GroundingDinoForObjectDetection.from_pretrained(folder, local_files_only=True)
    return processor, model.to(device()).eval()
