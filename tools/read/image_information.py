"""image_information: what is known of an image besides what it shows, and nothing about whom.

Modality, size, values, orientation, and above all whether it can be measured in millimetres, and if not, why. The facts
come from closed lists (tools/images/facts.py), so no text of a file is repeated here.
"""

import numpy as np

from tools.evidence import Evidence, Measurement
from tools.geometry import box_from_pixels
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool

SIDES = {"L": "left", "R": "right", "P": "back", "A": "front", "H": "head", "F": "feet"}


@medical_tool(family="read", version="2")
def image_information(image: MedicalImage) -> Evidence:
    """Tell an image's modality, size, values, orientation and spacing, and if it is calibrated for mm."""
    text = " ".join((_kind(image), _values(image), *_orientation(image), _calibration(image), *_burnt_in(image)))
    return Evidence(text=text, measurements=_measurements(image))


def _kind(image: MedicalImage) -> str:
    colour = "colour" if image.pixels.ndim == 3 else "greys"
    what = f"Image {image.number}: {image.facts.modality or 'unknown modality'}, {colour}"
    size = f"{image.width} x {image.height} pixels"
    if image.volume is not None:
        called = "frames" if image.volume.directions is None else "slices"
        return f"{what}, a volume of {image.volume.count} {called} of {size}; number {image.volume.middle} is shown."
    section = image.origin().section
    return f"{what}, {size}{f', {section} of a volume' if section else ''}."


def _values(image: MedicalImage) -> str:
    values = image.measured
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return f"Values {low:g} to {high:g}{f' {image.facts.unit}' if image.facts.unit else ', without a unit'}."


def _orientation(image: MedicalImage) -> tuple[str, ...]:
    if image.facts.orientation is None:
        return ()
    right, lower = image.facts.orientation
    return (f"Its right edge is the patient's {SIDES[right]}, its lower edge the {SIDES[lower]}.",)


def _calibration(image: MedicalImage) -> str:
    if image.spacing is not None:
        row, column = image.spacing
        between = image.volume.slice_spacing if image.volume else None
        slices = f", {between:g} mm between slices" if between else ""
        if image.volume and not between:
            slices = ", but not from slice to slice"
        return f"Calibrated: {column:g} mm across, {row:g} mm down a pixel{slices}."
    regions = image.facts.regions
    if regions:
        boxes = ", ".join(str(box_from_pixels(each.box, image.width, image.height)) for each in regions)
        return f"Calibrated only inside {boxes}: what lies within one of them is measured in mm."
    if image.facts.detector_spacing is not None:
        row, column = image.facts.detector_spacing
        return (
            f"Not calibrated for the body: {column:g} x {row:g} mm a pixel on the detector or film, magnified by an "
            "unknown factor. Measures are in pixels."
        )
    return "Not calibrated: the file gives no spacing. Measures are in pixels."


def _burnt_in(image: MedicalImage) -> tuple[str, ...]:
    said = image.facts.burnt_in_text
    return () if said is None else ("Text is burnt in." if said else "No identifying text is burnt in.",)


def _measurements(image: MedicalImage) -> tuple[Measurement, ...]:
    found = [
        Measurement(name="width", value=image.width, unit="pixels"),
        Measurement(name="height", value=image.height, unit="pixels"),
    ]
    if image.volume is not None:
        found.append(Measurement(name="slices", value=image.volume.count, unit="slices"))
        if image.volume.slice_spacing is not None:
            found.append(Measurement(name="slice spacing", value=image.volume.slice_spacing, unit="mm"))
    if image.spacing is not None:
        found.append(Measurement(name="row spacing", value=image.spacing[0], unit="mm"))
        found.append(Measurement(name="column spacing", value=image.spacing[1], unit="mm"))
    return tuple(found)
