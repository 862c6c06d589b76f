"""count_objects: how many objects there are, each outlined, so that the count can be checked by looking.

For nuclei, cells, colonies, calcifications: many objects of about one size. How they are found and parted is in
`tools/find/objects.py`.
"""

from typing import Any, Literal, cast

import numpy as np

from tools.evidence import Evidence, Measurement, regions_of
from tools.find.objects import Kind, Labels, likely_kind, parted
from tools.geometry import Box
from tools.images.drawing import outline_labels, shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import (
    at_most,
    enlarged_labels,
    greys,
    large_enough,
    shown_colours,
    whole_box,
    with_contrast,
)
from tools.images.ruler import ruler_in
from tools.medical_tool import medical_tool

Objects = Literal["auto", "bright", "dark", "dark_cores"]

WORDS: dict[Kind, str] = {"bright": "bright", "dark": "dark", "dark_cores": "dark cores of grey"}
MOST_SIDE = 2048
"""Larger images are counted on a copy of this size, so that a call ends in seconds."""

MOST_REGIONS = 200
"""Boxes returned as data."""


@medical_tool(family="find", version="3")
def count_objects(image: MedicalImage, objects: Objects = "auto", box: Box | None = None) -> Evidence:
    """Count the objects (nuclei, cells) of an image and outline each.

    Objects are brighter or darker than the background, or the dark cores (nuclei) of grey cells; auto decides by the
    background. A box limits the counting.
    """
    shown = left, top, right, bottom = whole_box(image, box, "count_objects")
    part = image.crop(shown).numbered(image.number)
    if box is None:
        large_enough(image, 8, "count_objects")
    with_contrast(greys(part), image, "count_objects", box)
    looked_at = at_most(part, MOST_SIDE)
    kind = likely_kind(looked_at) if objects == "auto" else objects
    labels = enlarged_labels(parted(looked_at, kind), *part.size)
    count = int(labels.max())
    picture = shown_colours(image)
    outline_labels(picture[top:bottom, left:right], labels)
    scale = ruler_in(image, shown)
    usual = scale.area(float(np.median(np.bincount(labels.ravel())[1:]))) if scale and count else None
    return Evidence(
        text=f"{count} {WORDS[kind]} object{'' if count == 1 else 's'} in {'the box of ' if box else ''}image "
        f"{image.number}, outlined" + (f"; median area {usual[0]}." if usual else "."),
        images=(shown_as(image, picture),),
        regions=tuple(
            region
            for x1, y1, x2, y2 in boxes_of(labels)[:MOST_REGIONS]
            for region in regions_of(image, (x1 + left, y1 + top, x2 + left, y2 + top))
        ),
        measurements=(
            Measurement(name="count", value=count, unit="objects"),
            *([Measurement(name="median area", value=usual[1], unit=usual[2])] if usual else []),
        ),
    )


def boxes_of(labels: Labels) -> list[tuple[int, int, int, int]]:
    """The box around each object, in whole pixels."""
    from scipy import ndimage

    parts = cast("list[tuple[slice, slice] | None]", cast("Any", ndimage).find_objects(labels))
    return [(part[1].start, part[0].start, part[1].stop, part[0].stop) for part in parts if part]
