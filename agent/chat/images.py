"""Images of messages as ids of our store.

An image comes as a data URL, as base64, as the id of an image that the store holds, or as a MedicalImage of a tool's
evidence. Nothing is fetched and no file is opened: an address or a path in a message is refused, for a message may come
from anywhere. The same data is decoded once.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, cast

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.store import ImageStore

PICTURE_BLOCKS = ("image", "image_url", "input_image")
"""Types of content blocks that hold an image: LangChain's, OpenAI's (chat), OpenAI's (responses)."""
REMEMBERED = 4096
EXPECTED = (
    "expected a data URL (data:image/png;base64,...), base64 with its mime_type, or {'type': 'image', 'file_id': ID} "
    "with the id of an image in the store"
)


def image_block(image: str) -> dict[str, Any]:
    """The content block for an image of the store: what a message carries instead of pixels."""
    return {"type": "image", "file_id": image}


class MessageImages:
    """Puts the images of messages into a store. Safe to use from several threads."""

    def __init__(self, store: ImageStore) -> None:
        self.store = store
        self._known: OrderedDict[str, str] = OrderedDict()

    def keep(self, image: MedicalImage) -> str:
        """The image's id, once the store holds it."""
        return self.store.put(image)

    def of_block(self, block: Mapping[str, Any]) -> str:
        """The id of a content block's image. Raises ImageError."""
        held = block.get("id" if block.get("source_type") == "id" else "file_id")
        if isinstance(held, str):
            return self._held(held)
        url = _url(block)
        if url[:5].lower() != "data:":
            raise ImageError(f"Got an image at {url[:40]!r}, {EXPECTED}; nothing is fetched for a message.")
        return self._decoded(url)

    def _held(self, image: str) -> str:
        if image not in self._known:
            if image not in self.store:
                raise ImageError(f"Got the image id {image[:80]!r}, which the store does not hold; put it there first.")
            self._remember(image, image)
        return image

    def _decoded(self, url: str) -> str:
        key = hashlib.sha256(url.encode()).hexdigest()
        if (found := self._known.get(key)) is None:
            found = self.store.put(load_image(url))
            self._remember(key, found)
        return found

    def _remember(self, key: str, image: str) -> None:
        self._known[key] = image
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _url(block: Mapping[str, Any]) -> str:
    """The address in any of the forms that LangChain, OpenAI and Anthropic give an image."""
    source = _mapping(block.get("source"))
    data = block.get("base64", block.get("data", source.get("data")))
    if isinstance(data, str):
        kind = block.get("mime_type", source.get("media_type", "image/png"))
        return f"data:{kind};base64,{data}"
    named = block.get("image_url", block.get("url", source.get("url")))
    url = named if isinstance(named, str) else _mapping(cast(object, named)).get("url")
    if not isinstance(url, str):
        raise ImageError(f"Got an image block with the keys {sorted(block)}, {EXPECTED}.")
    return url


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
