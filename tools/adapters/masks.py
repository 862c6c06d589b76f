"""What is told and shown of masks that a model found: each outlined, with its box, its share and its area."""

from collections.abc import Sequence

import numpy as np

from tools.evidence import Evidence, Measurement, Region, regions_of
from tools.images.drawing import COLOURS, outline, shown_as, tint, write
from tools.images.image import MedicalImage
from tools.images.pixels import Mask, box_words, shown_colours
from tools.images.ruler import ruler_in


def of_masks(image: MedicalImage, found: Sequence[tuple[str, Mask]], model: str) -> Evidence:
    """Evidence of these named masks, each (height, width) of `image`; an empty one was not found."""
    picture = shown_colours(image)
    told: list[str] = []
    regions: list[Region] = []
    areas: list[Measurement] = []
    names: list[tuple[str, tuple[float, float]]] = []
    for number, (name, mask) in enumerate(found):
        if not mask.any():
            told.append(f"{name} not found")
            continue
        colour = COLOURS[number % len(COLOURS)]
        tint(picture, mask, colour, 0.25)
        outline(picture, mask, colour)
        rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
        box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        scale = ruler_in(image, box)
        area = scale.area(float(mask.sum())) if scale else None
        told.append(f"{name} {box_words(image, box)}" + (f", {area[0]}" if area else ""))
        regions += regions_of(image, box, name)
        areas += [Measurement(name=f"area of {name}", value=area[1], unit=area[2])] if area else []
        names.append((name, (box[0] + 3.0, box[1] + 2.0)))
    return Evidence(
        text=f"{model} in image {image.number}: {'; '.join(told)}.",
        images=(shown_as(image, write(picture, names)),) if names else (),
        regions=tuple(regions),
        measurements=tuple(areas),
    )
