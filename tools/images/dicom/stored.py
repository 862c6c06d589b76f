"""The stored values of an object's frames, whatever they were compressed with.

Everything is checked before a decoder sees a byte: that there are pixels, that their number is within the limits, that
a compressed frame announces the size which the object has.
"""

import contextlib
from typing import Any

from numpy.typing import NDArray

from tools.errors import ImageError
from tools.images.dicom.codestream import announced_size
from tools.images.dicom.dataset import MEND, Dataset
from tools.images.dicom.imagecodecs_plugin import NAME, enter
from tools.images.limits import Limits

DECODERS = ("pydicom", "pillow", NAME, "pylibjpeg")
"""pydicom's plug-ins that are used, the preferred first. Not gdcm: a damaged frame makes it end the whole program.

JPEG lossless, JPEG-LS and JPEG of 12 bits are read by imagecodecs, or by pylibjpeg-libjpeg where a user installed that.
"""


enter()


def stored_values(dataset: Dataset, limits: Limits) -> NDArray[Any]:
    """The stored values of all frames as (frames, height, width[, 3])."""
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise ImageError(
            f"Got a DICOM object without pixels ({_kind_of_object(dataset)}), expected an image. Give the images "
            "that it belongs to."
        )
    count = int(dataset.get("NumberOfFrames") or 1)
    height, width = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    limits.check_volume(count, width, height)
    stored = _decoded(dataset, count, width, height)
    colours = int(dataset.get("SamplesPerPixel") or 1)
    if colours not in (1, 3):
        raise ImageError(f"Got {colours} samples per pixel, expected 1 (greys) or 3 (colours). {MEND}")
    return stored.reshape(count, height, width, 3) if colours == 3 else stored.reshape(count, height, width)


def _decoded(dataset: Dataset, count: int, width: int, height: int) -> NDArray[Any]:
    """What pydicom makes of the pixel data, with the first of DECODERS that can read it."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import UID

    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    try:
        there = get_decoder(syntax).available_plugins if syntax.is_encapsulated else ("",)
    except (NotImplementedError, ValueError):
        there = ()
    usable = [each for each in ("", *DECODERS) if each in there]
    if not usable:
        name = "a private one" if syntax.name == str(syntax) else syntax.name
        raise ImageError(
            f"Got the transfer syntax {name}, expected one that the plug-ins of pydicom installed here read. Convert "
            "it, e.g. to Explicit VR Little Endian, or install more: pip install 'medvista[jpeg]'."
        )
    _check_frames(dataset, count, width, height)
    for decoder in usable[:-1]:
        with contextlib.suppress(RuntimeError):  # it cannot: the next one may
            return pixel_array(dataset, decoding_plugin=decoder)
    return pixel_array(dataset, decoding_plugin=usable[-1])


def _check_frames(dataset: Dataset, count: int, width: int, height: int) -> None:
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated or "PixelData" not in dataset:
        return
    from pydicom.encaps import generate_frames

    for frame in generate_frames(dataset.PixelData, number_of_frames=count):
        if (said := announced_size(frame)) is not None and said != (width, height):
            raise ImageError(
                f"Got a compressed frame of {said[0]} x {said[1]} pixels in an object of {width} x {height}, expected "
                f"the same size. {MEND}"
            )


def _kind_of_object(dataset: Dataset) -> str:
    from pydicom.uid import UID

    uid = UID(str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", "")))
    return "of unknown kind" if uid.name == str(uid) else uid.name
