"""A store that notes what it is given: each image's size, and a hash of its pixels alone.

An image's id also covers its spacing and window; two files with the same pixels are the same picture, whatever is said
of them. Without a folder nothing is kept: a dry run looks at every image and leaves none.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tools.images.image import MedicalImage
from tools.images.store import ImageStore

FIRST = 8
"""Images that stay at hand."""


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image that was looked at."""

    width: int
    height: int
    pixels: str
    """Sha-256, in hex, of its pixels (of a volume: all), their shape and type."""


class InspectingStore(ImageStore):
    """Keeps images in `folder`, or with None keeps nothing; `seen` says what they were, by id."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__(folder or Path())
        self.keeps = folder is not None
        self.seen: dict[str, ImageFacts] = {}
        self.first: dict[str, MedicalImage] = {}
        """The first few images themselves, for a rehearsal."""

    def put(self, image: MedicalImage) -> str:
        """The image's id."""
        if image.id not in self.seen:
            measured = image.measured
            digest = hashlib.sha256(f"{measured.dtype.name} {measured.shape}".encode())
            digest.update(measured.data)
            self.seen[image.id] = ImageFacts(image.width, image.height, digest.hexdigest())
            if len(self.first) < FIRST:
                self.first[image.id] = image
            if self.keeps:
                super().put(image)
        return image.id
