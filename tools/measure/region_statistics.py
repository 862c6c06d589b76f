"""region_statistics: what values a box holds: HU where the image is calibrated, else grey values, and it says which.

Computed on the values as measured, never on the 8-bit display; what is no number (outside of a scan) does not count. Of
a colour image the luma is described.
"""

import numpy as np
from numpy.typing import NDArray

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import Box
from tools.images.drawing import COLOURS, rectangle, shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import GREY_VALUES, WholeBox, greys, shown_colours, unit_of, whole_box
from tools.images.ruler import ruler
from tools.medical_tool import medical_tool


@medical_tool(family="measure", version="3")
def region_statistics(image: MedicalImage, box: Box) -> Evidence:
    """Measure mean, spread, range and median of the values in a box."""
    shown = left, top, right, bottom = whole_box(image, box, "region_statistics")
    values = _numbers(image, shown, box)
    unit = unit_of(image)
    found = {
        "mean": float(values.mean()),
        "standard deviation": float(values.std()),
        "least": float(values.min()),
        "median": float(np.median(values)),
        "most": float(values.max()),
    }
    size, area, area_unit = ruler(image, shown, "region_statistics").area((right - left) * (bottom - top))
    picture = shown_colours(image)
    rectangle(picture, shown, COLOURS[0])
    told = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
    note = " (not calibrated)" if unit == GREY_VALUES else ""
    return Evidence(
        text=f"In the box of image {image.number}, {size}: {told} {unit}{note}.",
        images=(shown_as(image, picture),),
        regions=regions_of(image, shown),
        measurements=(
            *(Measurement(name=name, value=value, unit=unit) for name, value in found.items()),
            Measurement(name="area", value=area, unit=area_unit),
        ),
    )


def _numbers(image: MedicalImage, shown: WholeBox, box: Box) -> NDArray[np.float64]:
    """The values in the box that are numbers. ToolRetry where none is."""
    left, top, right, bottom = shown
    finite = np.isfinite(image.pixels[top:bottom, left:right])
    counts = finite if finite.ndim == 2 else finite.all(axis=2)
    if not counts.any():
        raise ToolRetry(
            f"region_statistics: got box {box} of image {image.number}, which holds no number (nothing was measured "
            "there); expected a box with measured values."
        )
    return greys(image)[top:bottom, left:right][counts].astype(np.float64)
