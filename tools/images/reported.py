"""The one place where what a decoder raises for a damaged file becomes an ImageError.

A decoder's own message may quote what it read, a name among it, so the ImageError tells its type only and does not
carry it along into tracebacks; and what it would log meanwhile is held back (Pillow's log of a TIFF, for one, has its
description and its artist). Where somebody else opens a file with Pillow, its DEBUG log stays off too.
"""

import contextlib
import contextvars
import logging
import struct
import zlib
from collections.abc import Generator

from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin

from tools.errors import ImageError

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    AttributeError,
    RuntimeError,
    AssertionError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow, pydicom with its plug-ins, and nibabel are known to raise for damaged files."""
DECODERS = frozenset(("PIL", "pydicom", "nibabel", "openjpeg", "pylibjpeg", "libjpeg", "imagecodecs"))
"""Packages whose loggers are held back."""
_LOADED = (ImageFile, PngImagePlugin, TiffImagePlugin)
"""Pillow imports these when it opens its first file: loaded here, their loggers are there before that."""
for _plugin in _LOADED:
    if (_log := logging.getLogger(_plugin.__name__)).level == logging.NOTSET:
        _log.setLevel(logging.INFO)  # at DEBUG they tell a file's tags, whoever opens it; a picture may come opened


_silent = contextvars.ContextVar("reading an image, so decoders do not log", default=False)


@contextlib.contextmanager
def reported(got: str, mend: str, also: tuple[type[Exception], ...] = ()) -> Generator[None]:
    """Inside, an error of a decoder (DECODER_ERRORS, `also`) becomes an ImageError, and no decoder logs.

    `got` is what was read, `mend` what to do about it.
    """
    with _silence():
        try:
            yield
        except ImageError:
            raise
        except (*DECODER_ERRORS, *also) as error:
            raise ImageError(
                f"Got {got} that hold no whole image ({type(error).__name__}): damaged, cut short or another format. "
                f"{mend}"
            ) from None


@contextlib.contextmanager
def _silence() -> Generator[None]:
    """Inside, and in this thread or task only, the loggers of DECODERS say nothing."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in DECODERS and _while_loud not in (logger := logging.getLogger(name)).filters:
            logger.addFilter(_while_loud)
    before = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(before)


def _while_loud(record: logging.LogRecord) -> bool:
    return not _silent.get()
