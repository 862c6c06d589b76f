"""intensity_profile: the values along a line, drawn as a curve beside the image, its steps and peaks told in numbers.

Values are interpolated between pixels (scikit-image's `profile_line`, averaged over the line's width). Along the line
is in mm only where the image has a spacing.
"""

import io
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence, Measurement, regions_of
from tools.geometry import Point, point_to_pixels
from tools.images.drawing import COLOURS, lines
from tools.images.image import MedicalImage
from tools.images.pixels import greys, shown_colours, shrunk, unit_of
from tools.images.ruler import ruler, why_no_mm
from tools.images.side_by_side import Shown, side_by_side
from tools.medical_tool import medical_tool

PANEL = 512
"""Sides of the plot, and the longer side of the image beside it, in pixels."""


@medical_tool(family="measure", version="2")
def intensity_profile(
    image: MedicalImage, start: Point, end: Point, width: Annotated[int, Field(ge=1, le=51)] = 1
) -> Evidence:
    """Plot the values along a line between two points.

    The values are averaged over the width of the line, in pixels.
    """
    if start == end:
        raise ToolRetry(
            f"intensity_profile: got the same point {start} as start and end; expected two different points."
        )
    first, last = (point_to_pixels(point, image.width, image.height) for point in (start, end))
    box = min(first[0], last[0]), min(first[1], last[1]), max(first[0], last[0]), max(first[1], last[1])
    scale = ruler(image, box, "intensity_profile")
    length = scale.length(first, last)
    values = profile(image, first, last, width)
    unit, length_unit = unit_of(image), scale.unit
    low, high = float(values.min()), float(values.max())
    step = int(np.argmax(np.abs(np.diff(values)))) if values.size > 1 else 0
    along = (step + 0.5) / max(1, values.size - 1) * length
    picture, view = shown_colours(image), image.crop((0, 0, image.width, image.height))
    lines(picture, [first, last], COLOURS[0])
    plot = _plot(values, length, f"along the line ({length_unit})", unit)
    return Evidence(
        text=f"Along {length:.1f} {length_unit} of image {image.number}: least {low:.4g}, most {high:.4g}, mean "
        f"{float(values.mean()):.4g} {unit}; steepest step {along:.1f} {length_unit} from the start."
        + ("" if scale.unit == "mm" else f" ({why_no_mm(image).capitalize()}.)"),
        images=(side_by_side([Shown(shrunk(picture, PANEL), view), Shown(plot, None)]),),
        regions=regions_of(image, box),
        measurements=(
            Measurement(name="least", value=low, unit=unit),
            Measurement(name="most", value=high, unit=unit),
            Measurement(name="mean", value=float(values.mean()), unit=unit),
            Measurement(name="steepest step", value=along, unit=length_unit),
        ),
    )


def profile(
    image: MedicalImage, first: tuple[float, float], last: tuple[float, float], width: int
) -> NDArray[np.float64]:
    """The values from `first` to `last`, (x, y) in continuous pixels, about one a pixel."""
    import skimage.measure

    # a pixel's centre is at 0.5 of it; profile_line counts from the centre of the first
    ends = [(y - 0.5, x - 0.5) for x, y in (first, last)]
    measure = cast("Any", skimage.measure)
    return np.asarray(
        measure.profile_line(greys(image).astype(np.float64), *ends, linewidth=width, mode="nearest"), np.float64
    )


def _plot(values: NDArray[np.float64], length: float, along: str, unit: str) -> NDArray[np.uint8]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PANEL / 100, PANEL / 100), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = cast("Any", figure.subplots())
    axes.plot(np.linspace(0, length, values.size), values, color="black", linewidth=1.5)
    axes.set(xlabel=along, ylabel=unit, xlim=(0, length))
    axes.grid(alpha=0.3)
    drawn = io.BytesIO()
    cast("Any", canvas).print_png(drawn)
    return np.array(Image.open(drawn).convert("RGB"))
