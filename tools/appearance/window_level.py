"""window_level: choose which values of an image become which greys.

A CT holds some 4,000 values and a screen shows 256: lung, bone and brain are each seen in a window of their own. The
named windows are in Hounsfield units, the customary ones of CT reporting: they are for images that are known to be in
these units, and mean nothing elsewhere.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.windowing import Window, apply_window
from tools.medical_tool import medical_tool

Preset = Literal["lung", "bone", "soft_tissue", "brain", "liver", "mediastinum"]

PRESETS: dict[Preset, Window] = {
    "lung": (-600, 1500),
    "bone": (400, 1800),
    "soft_tissue": (50, 400),
    "brain": (40, 80),
    "liver": (60, 160),
    "mediastinum": (40, 350),
}
"""Centre and width in HU."""


@medical_tool(family="appearance", version="2")
def window_level(
    image: MedicalImage,
    centre: Annotated[float | None, Field(allow_inf_nan=False, examples=[40])] = None,
    width: Annotated[float | None, Field(gt=0, allow_inf_nan=False, examples=[400])] = None,
    preset: Preset | None = None,
) -> Evidence:
    """Show an image with another window centre and width.

    Centre and width are in the image's own values (Hounsfield units for a calibrated CT). A preset is a named CT window
    and takes their place.
    """
    window = _chosen(image, centre, width, preset)
    text = f"Image {image.number} with window centre {window[0]:g}, width {window[1]:g}."
    return Evidence(text=text, images=(image.derived(apply_window(image.pixels, window), window=window),))


def _chosen(image: MedicalImage, centre: float | None, width: float | None, preset: Preset | None) -> Window:
    if preset is None:
        if centre is None or width is None:
            raise ToolRetry(f"window_level: got centre {centre} and width {width}; expected both, or a preset.")
        return centre, width
    if centre is not None or width is not None:
        raise ToolRetry(f"window_level: got preset {preset} and a centre or width; expected one or the other.")
    if image.facts.unit != "HU":
        low, high = float(np.nanmin(image.pixels)), float(np.nanmax(image.pixels))
        raise ToolRetry(
            f"window_level: got preset {preset}, which is a window of Hounsfield units, but image {image.number} has "
            f"{image.facts.unit or 'no unit'}: its values go from {low:g} to {high:g}; give centre and width in those."
        )
    return PRESETS[preset]
