"""stain_separation: one stain of a stained section, the others taken away.

Ruifrok and Johnston, Quantification of histochemical staining by color deconvolution, Anal Quant Cytol Histol 2001:
light that passes a stain falls exponentially (Beer and Lambert), so the logarithms of red, green and blue are sums over
the stains, and their matrix can be inverted. scikit-image's vectors for haematoxylin, eosin and DAB are used; a
laboratory's own colours differ somewhat, so amounts are to be compared within one image.
"""

from typing import Any, Literal, cast

import numpy as np

from tools.errors import ToolFailed
from tools.evidence import Evidence, Measurement
from tools.images.drawing import shown_as
from tools.images.image import MedicalImage
from tools.images.pixels import shown_colours
from tools.medical_tool import medical_tool

Stain = Literal["haematoxylin", "eosin", "dab"]
STAINS: tuple[Stain, ...] = ("haematoxylin", "eosin", "dab")

STAINED = 0.02
"""Density (scikit-image's unit) of a stained pixel: a pale grey (240) has 0.005, a dark purple 0.08."""


@medical_tool(family="appearance", version="1")
def stain_separation(image: MedicalImage, stain: Stain) -> Evidence:
    """Show where one stain of a stained section is: dark where there is much of it.

    Haematoxylin marks nuclei, eosin cytoplasm and fibres, dab (brown) the antigen of an immunostain.
    """
    import skimage.color

    if image.pixels.ndim == 2:
        raise ToolFailed(f"stain_separation: image {image.number} is grey: stains are told apart by their colours.")
    colour = cast("Any", skimage.color)
    density = np.asarray(colour.rgb2hed(shown_colours(image)))[:, :, STAINS.index(stain)]
    most = max(float(np.percentile(density, 99.5)), STAINED)
    picture = np.rint((1 - np.clip(density / most, 0, 1)) * 255).astype(np.uint8)
    share = float((density > STAINED).mean()) * 100
    return Evidence(
        text=f"{stain} in image {image.number}: dark where there is much; {share:.0f} % of the image is stained.",
        images=(shown_as(image, picture),),
        measurements=(
            Measurement(name=f"{stain} share", value=share, unit="%"),
            Measurement(name=f"{stain} mean density", value=float(density.mean()), unit="optical density"),
        ),
    )
