"""A decoder for pydicom: JPEG lossless, JPEG-LS and JPEG of 12 bits by imagecodecs, whose licence is the BSD one.

pydicom's own plug-in for these (pylibjpeg-libjpeg) is under the GPL-3, which a user should choose knowingly. pydicom
asks a plug-in's module for `is_available`, DECODER_DEPENDENCIES, and a function from a frame's bytes to its pixels'.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

NAME = "imagecodecs"
JPEG_LS = frozenset((JPEGLSLossless, JPEGLSNearLossless))
SYNTAXES = (JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, *sorted(JPEG_LS))
DECODER_DEPENDENCIES = dict.fromkeys(SYNTAXES, ("imagecodecs",))


def is_available(uid: str) -> bool:
    """Whether frames of this transfer syntax can be decoded here."""
    return uid in DECODER_DEPENDENCIES and find_spec(NAME) is not None


def decode(frame: bytes, runner: Any) -> bytes:
    """The pixels of one frame, colours by pixel, in bytes. Raises what pydicom reports as RuntimeError."""
    library: Any = import_module(NAME)
    if UID(str(runner.transfer_syntax)) in JPEG_LS:
        pixels = library.jpegls_decode(frame)
    else:
        same = {"colorspace": "RGB", "outcolorspace": "RGB"} if runner.samples_per_pixel == 3 else {}
        pixels = library.jpeg8_decode(frame, **same)
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", pixels.dtype.itemsize * 8)
    return bytes(pixels.tobytes())


def enter() -> None:
    """Makes the plug-in known to pydicom, which looks for it by name; once, where its package is installed."""
    for syntax in SYNTAXES:
        decoder: Any = get_decoder(syntax)
        if is_available(syntax) and NAME not in decoder.available_plugins:
            decoder.add_plugin(NAME, (__name__, "decode"))
