"""segment_threshold: an image parted into classes of grey, each in a colour, with thresholds and shares told.

Otsu, A threshold selection method from gray-level histograms, IEEE SMC 1979, for two classes; for three to five its
extension (Liao, Chen and Chung, A fast algorithm for multilevel thresholding, JISE 2001). The thresholds come from the
image (or box) itself, so they need no calibration; they part whatever is there, also where there is only one tissue.
"""

from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import Box
from tools.images.drawing import COLOURS, rectangle, shown_as, tint
from tools.images.image import MedicalImage
from tools.images.pixels import Floats, greys, shown_colours, unit_of, whole_box, with_contrast
from tools.medical_tool import medical_tool

OPACITY = 0.4


@medical_tool(family="find", version="1")
def segment_threshold(
    image: MedicalImage, classes: Annotated[int, Field(ge=2, le=5)] = 2, box: Box | None = None
) -> Evidence:
    """Part an image, or a box of it, into classes of brightness (Otsu) and colour all but the darkest."""
    shown = left, top, right, bottom = whole_box(image, box, "segment_threshold")
    values = with_contrast(greys(image)[top:bottom, left:right], image, "segment_threshold", box)
    if np.unique(values).size < classes:
        raise ToolRetry(
            f"segment_threshold: got {classes} classes for {np.unique(values).size} different values; expected fewer "
            "classes, or a larger box."
        )
    thresholds = otsu_thresholds(values, classes)
    number = np.digitize(values, thresholds, right=True)
    picture = shown_colours(image)
    for each in range(1, classes):
        tint(picture[top:bottom, left:right], number == each, COLOURS[each - 1], OPACITY)
    if box is not None:
        rectangle(picture, shown, COLOURS[-1])
    unit = unit_of(image)
    shares = [100 * float((number == each).mean()) for each in range(classes)]
    told = ", ".join(f"{value:.4g}" for value in thresholds)
    return Evidence(
        text=f"Image {image.number}{' in the box' if box else ''} in {classes} classes, thresholds {told} {unit}; "
        f"from dark to bright they cover {', '.join(f'{share:.1f} %' for share in shares)}.",
        images=(shown_as(image, picture),),
        regions=regions_of(image, shown) if box else (),
        measurements=(
            *(Measurement(name=f"threshold {n}", value=value, unit=unit) for n, value in enumerate(thresholds, 1)),
            *(Measurement(name=f"share of class {n}", value=share, unit="%") for n, share in enumerate(shares, 1)),
        ),
    )


def otsu_thresholds(values: Floats, classes: int) -> list[float]:
    """The values up to which (inclusive) a pixel belongs to the darker class, ascending."""
    import skimage.filters

    filters = cast("Any", skimage.filters)
    if classes == 2:
        return [float(filters.threshold_otsu(values))]
    different: NDArray[Any] = np.unique(values)
    if different.size <= classes:
        return [float(each) for each in different[:-1]]
    # fewer bins than for two classes: the time grows with their number to the power of the classes
    try:
        return [float(each) for each in filters.threshold_multiotsu(values, classes, nbins=128)]
    except ValueError as error:  # so few values that fewer bins than classes are filled
        raise ToolRetry(
            f"segment_threshold: got {classes} classes for values that bunch in fewer; expected fewer classes."
        ) from error
