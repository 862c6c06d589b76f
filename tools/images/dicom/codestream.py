"""The size that a compressed frame says it has.

The decoders make room for what the frame itself announces, so a few bytes could ask for any amount of memory. It is
read first, from the frame's own header (JPEG and JPEG-LS: start of frame; JPEG 2000: SIZ), and must be what the object
says.
"""

import struct

_START_OF_FRAME = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xDA)))


def announced_size(frame: bytes) -> tuple[int, int] | None:
    """(width, height) that a JPEG, JPEG-LS or JPEG 2000 frame announces; None for any other, or a damaged header."""
    if frame[:4] == b"\xff\x4f\xff\x51":
        return _siz(frame)
    box = frame.find(b"\xff\x4f\xff\x51", 0, 4096) if frame[4:8] == b"jP  " else -1
    if box >= 0:
        return _siz(frame[box:])
    return _jpeg(frame) if frame[:2] == b"\xff\xd8" else None


def _siz(frame: bytes) -> tuple[int, int] | None:
    if len(frame) < 24:
        return None
    right, lower, left, upper = struct.unpack(">4I", frame[8:24])
    return right - left, lower - upper


def _jpeg(frame: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(frame):
        if frame[at] != 0xFF:
            return None
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _START_OF_FRAME:
            height, width = struct.unpack(">2H", frame[at + 5 : at + 9])
            return width, height
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + struct.unpack(">H", frame[at + 2 : at + 4])[0]
    return None
