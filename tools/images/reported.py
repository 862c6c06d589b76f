"""The one place where what a decoder raises for a damaged file becomes an ImageError.

A decoder's own message may quote what it read, a name among it, so the ImageError tells its type only and does not
carry it along into tracebacks; and what it would log meanwhile is held back.
"""

import contextlib
import contextvars
import logging
import struct
import zlib
from collections.abc import Generator

from PIL import Image

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


_silent = contextvars.ContextVar("reading an image, so decoders do not log", default=False)


@contextlib.contextmanager
def reported(got: str, mend: str, also: tuple[type[Exception], ...] = (), logger: str | None = None) -> Generator[None]:
    """Inside, an error of a decoder (DECODER_ERRORS, `also`) becomes an ImageError, and `logger` is silent.

    `got` is what was read, `mend` what to do about it.
    """
    with silent(logger) if logger else contextlib.nullcontext():
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
def silent(logger: str) -> Generator[None]:
    """Inside, and in this thread or task only, a library's logger says nothing."""
    found = logging.getLogger(logger)
    if _while_loud not in found.filters:
        found.addFilter(_while_loud)
    before = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(before)


def _while_loud(record: logging.LogRecord) -> bool:
    return not _silent.get()
