"""From an image to separate objects: what is object and what is background, and where touching ones part.

Background and objects are parted by Otsu's threshold (IEEE SMC 1979). Among glowing nuclei some are dim, and a
threshold that follows the bright ones misses them: there the geometric mean is taken of that threshold and of Otsu's in
the square roots of the brightness, and the halo that this leaves around a bright one is cut off where it falls below
half of what is brightest nearby. Touching objects are parted by a watershed of the distance to the background (Beucher
and Lantuejoul 1979), from one seed a summit; summits nearer to each other than a fraction of the usual object's radius
are one, so that nothing here depends on the magnification.

The numbers below were chosen on the 2018 Data Science Bowl images in `shared/data`: those for bright objects on one
half of the files (by a hash of their names), the others with all in view. `benchmarks/find_accuracy.py` gives both
halves.
"""

import math
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from tools.images.image import MedicalImage
from tools.images.pixels import Floats, Mask, enlarged_labels, resized, shown_colours, shown_greys

Labels = NDArray[np.int32]
"""(height, width): 0 is background, n is object n."""

Kind = Literal["bright", "dark", "dark_cores"]

BLUR = 1.0
"""Pixels of the Gaussian that takes the grain away before a threshold is looked for."""

SEED_DISTANCE: dict[Kind, float] = {"bright": 0.6, "dark": 0.4, "dark_cores": 1.5}
"""Least distance of two objects' summits, in radii of the usual object."""

SMOOTHING: dict[Kind, float] = {"bright": 0.1, "dark": 0.1, "dark_cores": 0.25}
"""Of the distances, in the same radii: less parts more, more parts only what is clearly two."""

BRIGHTNESS: dict[Kind, float] = {"bright": 0.6, "dark": 0.0, "dark_cores": 0.0}
"""How much of a summit's height is its brightness, of 1: a glowing nucleus is brightest in its middle."""

GROUND = 5
"""Percentile of the brightness that is the background's, where objects are bright."""

GRAIN = 0.1
"""Bright objects are blurred by this share of the usual radius where that is more: their own grain parts none."""

HALO, NEARBY = 0.5, 0.7
"""Bright objects reach as far as they have this share of the brightness of what is brightest within so many radii."""

SHARP = 0.25
"""Bright objects whose border is less steep than this share of the usual one are haze, not objects."""

DIM = 0.4
"""Bright objects that Otsu's threshold alone would miss are dust below this share of the others' median area."""

SURROUNDINGS = 5
"""Bright objects are also brighter than their surroundings: a Gaussian of so many radii of the usual object."""

LEAST_AREA: dict[Kind, tuple[int, float]] = {"bright": (8, 0.03), "dark": (30, 0.1), "dark_cores": (30, 0.3)}
"""Smaller objects are dust: in pixels, and as a share of the median object's area; the larger of the two holds."""

CORE_DUST = 15
"""Pixels that a nucleus has at least, where the usual one is looked for."""

GOOD_RADIUS, MOST_ENLARGED, MOST_SIDE = 10.0, 3.0, 2048
"""Bright objects that are smaller are enlarged to this radius, at most so many times and to so large a picture: the
shape of a few pixels says too little about where to part."""

DARK_FIELD, BRIGHT_FIELD = 0.12, 0.35
"""Background, of 1: below the first it is surely that of fluorescence, above the second that of transmitted light."""

CORE_SHARE = 0.4
"""Where the darker class of the objects' pixels is a smaller part than this, they are cells and it is their nuclei."""

CORE_SIZE = 3
"""Radius of the top-hat that takes the cells' own grey away, in radii of the usual nucleus."""


def plane(image: MedicalImage, bright: bool) -> Floats:
    """(height, width): the objects' brightness or darkness, 0 to 255, where grey values tell them from the background.

    Of stained images the darkness in red: haematoxylin and Giemsa, which mark nuclei, take red out of the light and
    eosin does not. Of bright objects the brightest channel, whatever the colour they are shown in.
    """
    import cv2

    if image.pixels.ndim == 3:
        colours = shown_colours(image).astype(np.float32)
        values = colours.max(axis=2) if bright else 255 - colours[:, :, 0]
    else:
        grey = shown_greys(image) * np.float32(255)
        values = grey if bright else 255 - grey
    return np.asarray(cv2.GaussianBlur(values, (0, 0), BLUR), np.float32)


def likely_kind(image: MedicalImage) -> Kind:
    """How the objects of this image stand out, judged by its background, which is most of a field of view.

    In grey images of whole cells the darker class of what is dark is a small part: the nuclei.
    """
    grey = shown_greys(image)
    low, high = (float(each) for each in np.percentile(grey, (1, 99)))
    ground = float(np.median(grey))
    if ground < DARK_FIELD or (ground < BRIGHT_FIELD and ground < (low + high) / 2):
        return "bright"
    colours = shown_colours(image).astype(np.int16)
    coloured = float((colours.max(axis=2) - colours.min(axis=2)).mean()) > 8
    values = plane(image, bright=False)
    within = values[values > otsu(values)]
    cells = not coloured and within.min() < within.max() and float((within > otsu(within)).mean()) < CORE_SHARE
    return "dark_cores" if cells else "dark"


def otsu(values: NDArray[Any]) -> float:
    """Otsu's threshold; `values` must not all be alike."""
    import skimage.filters

    return float(cast("Any", skimage.filters).threshold_otsu(values))


def glow(values: Floats) -> float:
    """The threshold above which bright objects are, dim ones among them; `values` must not all be alike."""
    ground = float(np.percentile(values, GROUND))
    above = np.maximum(values - np.float32(ground), np.float32(0))
    plain, rooted = otsu(values) - ground, otsu(np.sqrt(above)) ** 2
    return ground + math.sqrt(plain * rooted) if plain > 0 and rooted > 0 else otsu(values)


def parted(image: MedicalImage, kind: Kind) -> Labels:
    """The separate objects of an image."""
    import cv2

    values = plane(image, bright=kind == "bright")
    if values.min() == values.max():
        return np.zeros(values.shape, np.int32)
    times = 1.0
    if kind == "bright":
        radius = usual_radius(cleaned(values > glow(values)), LEAST_AREA[kind][0])
        if radius * GRAIN > BLUR:
            values = np.asarray(cv2.GaussianBlur(values, (0, 0), radius * GRAIN), np.float32)
        times = max(1.0, min(MOST_ENLARGED, GOOD_RADIUS / radius, MOST_SIDE / max(values.shape)))
    larger = cast("Floats", resized(values, round(image.width * times), round(image.height * times)))
    mask = foreground(larger, kind)
    labels = separated(mask, kind, larger, times)
    if kind == "bright":
        labels = _without_dim_dust(_without_haze(labels, mask, larger), larger)
    return enlarged_labels(labels, image.width, image.height)


def foreground(values: Floats, kind: Kind) -> Mask:
    """Where objects are in a `plane` that is not the same everywhere."""
    import cv2

    if kind == "bright":
        threshold = glow(values)
        radius = usual_radius(cleaned(values > threshold), LEAST_AREA[kind][0])
        bright = (values > threshold) & (values > _surroundings(values, radius))
        return cleaned(bright & ~_halo(values, radius))
    threshold = otsu(values)
    mask = cleaned(values > threshold)
    within = values[values > threshold]
    if kind == "dark" or within.min() == within.max():
        return mask
    size = 2 * round(CORE_SIZE * usual_radius(cleaned(values > otsu(within)), CORE_DUST)) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    darker = np.asarray(cv2.morphologyEx(values, cv2.MORPH_TOPHAT, disk))
    inside = values > threshold
    if darker[inside].min() == darker[inside].max():
        return mask
    return cleaned((darker > otsu(darker[inside])) & inside)


def cleaned(mask: Mask) -> Mask:
    """Without specks and threads of one or two pixels, and without holes."""
    import cv2
    from scipy import ndimage

    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(cast("Any", ndimage).binary_fill_holes(np.asarray(opened)), np.bool_)


def separated(mask: Mask, kind: Kind, values: Floats, times: float = 1.0) -> Labels:
    """The objects of `mask`, touching ones parted, dust left out; numbered from 1 without gaps.

    `values` are the image's `plane`, perhaps enlarged so many times: of bright objects, summits are where both it and
    the distance are high.
    """
    import cv2
    import skimage.segmentation
    from scipy import ndimage

    image_library = cast("Any", ndimage)
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    least, share = LEAST_AREA[kind][0] * times**2, LEAST_AREA[kind][1]
    radius = usual_radius(mask, least)
    distance = np.asarray(cv2.GaussianBlur(_distance(mask), (0, 0), max(0.5, SMOOTHING[kind] * radius)))
    if BRIGHTNESS[kind]:
        distance = distance * (1 - BRIGHTNESS[kind] + BRIGHTNESS[kind] * _of_brightest_near(values, radius))
    size = 2 * max(1, round(SEED_DISTANCE[kind] * radius)) + 1
    highest = np.asarray(cv2.dilate(distance, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))))
    seeds, _ = image_library.label((distance >= highest - 1e-6) & mask, np.ones((3, 3)))
    parts = np.asarray(cast("Any", skimage.segmentation).watershed(-distance, seeds, mask=mask), np.int32)
    return without_dust(parts, least, share)


def without_dust(labels: Labels, pixels: float, share: float) -> Labels:
    """The objects of at least so many pixels and such a share of the median area, numbered from 1 in their order."""
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    there = areas[areas > 0]
    if there.size == 0:
        return labels
    return _only(labels, areas[1:] >= max(pixels, share * float(np.median(there))))


def _only(labels: Labels, kept: Mask) -> Labels:
    """The objects 1, 2 ... that are `kept`, numbered anew in their order."""
    numbers = np.zeros(kept.size + 1, np.int32)
    numbers[1:][kept] = np.arange(1, int(kept.sum()) + 1)
    return numbers[labels]


def usual_radius(mask: Mask, least_area: float) -> float:
    """The median over the connected parts of the largest circle that fits in; dust does not count; at least 1."""
    from scipy import ndimage

    image_library = cast("Any", ndimage)
    labels, count = image_library.label(mask)
    if count == 0:
        return 1.0
    radii = np.asarray(image_library.maximum(_distance(mask), labels, np.arange(1, count + 1)))
    large = np.bincount(np.asarray(labels).ravel())[1:] >= least_area
    return max(1.0, float(np.median(radii[large])) if large.any() else float(radii.max()))


def _surroundings(values: Floats, radius: float) -> Floats:
    """The mean around each pixel, weighted by a Gaussian; on a smaller copy where objects are large, which is quick."""
    import cv2

    height, width = values.shape
    step = max(1.0, radius / 4)
    small = cv2.resize(values, (math.ceil(width / step), math.ceil(height / step)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), SURROUNDINGS * radius / step)
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _halo(values: Floats, radius: float) -> Mask:
    """What is less than half as bright above the background as the brightest nearby."""
    import cv2

    ground = np.float32(np.percentile(values, GROUND))
    smooth = cv2.GaussianBlur(values, (0, 0), max(0.5, radius / 4))
    size = 2 * int(NEARBY * radius) + 1
    brightest = np.asarray(cv2.dilate(smooth, np.ones((size, size), np.uint8)))
    return np.asarray(values - ground <= np.float32(HALO) * (brightest - ground), np.bool_)


def _without_dim_dust(labels: Labels, values: Floats) -> Labels:
    """Without the small ones among the objects that are nowhere as bright as Otsu's threshold."""
    from scipy import ndimage

    count = int(labels.max())
    if count == 0:
        return labels
    areas = np.bincount(labels.ravel())[1:]
    brightest = np.asarray(cast("Any", ndimage).maximum(values, labels, np.arange(1, count + 1)))
    strong = brightest > otsu(values)
    usual = float(np.median(areas[strong] if strong.any() else areas))
    return _only(labels, strong | (areas >= DIM * usual))


def _without_haze(labels: Labels, mask: Mask, values: Floats) -> Labels:
    """Without what has no border: glowing background that is brighter than the threshold."""
    import cv2
    from scipy import ndimage

    image_library = cast("Any", ndimage)
    numbers = np.arange(1, int(labels.max()) + 1)
    inner = np.asarray(image_library.minimum_filter(mask, 3))
    border = np.where(mask & ~inner, labels, 0)
    lengths = np.bincount(border.ravel(), minlength=numbers.size + 1)[1:]
    if not lengths.any():
        return labels
    steepness = np.hypot(cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1))
    ground = np.percentile(values, GROUND)
    height = np.asarray(image_library.mean(values, labels, numbers)) - ground
    along = np.asarray(image_library.sum_labels(steepness, border, numbers)) / np.maximum(lengths, 1)
    relative = along / np.maximum(height, 1e-6)
    return _only(labels, (lengths == 0) | (relative >= SHARP * np.median(relative[lengths > 0])))


def _of_brightest_near(values: Floats, radius: float) -> Floats:
    """(height, width), 0 to 1: how bright each pixel is, of the brightest within an object's size of it."""
    import cv2

    smooth = np.asarray(cv2.GaussianBlur(values, (0, 0), max(0.5, radius / 4)), np.float32)
    size = 2 * int(2 * radius) + 1
    brightest = np.asarray(cv2.dilate(smooth, np.ones((size, size), np.uint8)))
    return np.asarray(smooth / np.maximum(brightest, np.float32(1e-6)), np.float32)


def _distance(mask: Mask) -> Floats:
    """Of each pixel to the background; at most the image's longer side, where there is no background."""
    import cv2

    found = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    return np.minimum(found, np.float32(max(mask.shape)))
