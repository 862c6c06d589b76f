"""Pictures as data URLs, encoded once.

An episode sends its images again with every turn. To our own server on loopback they go as bitmaps: there is nothing to
compress for either side, and bytes cost little there; other services get PNG. The key is the content, not the object: a
PIL image can be changed in place, and the policy must then see the new pixels.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections import OrderedDict
from typing import Literal

from PIL.Image import Image

from agent.policies.policy import PolicyError

Format = Literal["PNG", "BMP"]
LOSSLESS_MODES = ("L", "RGB")
"""8-bit grey and colour: what both the server and the trainer's image processor read as the same pixels."""


class ImageURLs:
    """A least-recently-used store of data URLs, bounded by their total length in characters."""

    def __init__(self, format: Format = "PNG", capacity: int = 64 * 1024 * 1024) -> None:
        self.format: Format = format
        self.capacity = capacity
        self._urls: OrderedDict[tuple[str, tuple[int, int], bytes], str] = OrderedDict()
        self._size = 0

    def of(self, image: Image) -> str:
        """The picture as `data:image/...;base64,...`. Raises PolicyError where its mode would change on the way."""
        if image.mode not in LOSSLESS_MODES:
            raise PolicyError(
                f"got an image of mode {image.mode!r}, expected 8-bit 'L' or 'RGB'; convert it first "
                "(MedicalImage.display() does), so that server and trainer see the same pixels"
            )
        key = (image.mode, image.size, hashlib.sha256(image.tobytes()).digest())
        url = self._urls.get(key)
        if url is not None:
            self._urls.move_to_end(key)
            return url
        url = encode(image, self.format)
        self._urls[key] = url
        self._size += len(url)
        while self._size > self.capacity and len(self._urls) > 1:
            self._size -= len(self._urls.popitem(last=False)[1])
        return url


def encode(image: Image, format: Format) -> str:
    """One picture as a data URL, without loss."""
    file = io.BytesIO()
    image.save(file, format)
    return f"data:image/{format.lower()};base64," + base64.b64encode(file.getvalue()).decode("ascii")
