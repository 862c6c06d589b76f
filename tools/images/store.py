"""A folder that holds each image once, under its content hash.

Everything else (graph state, ledger, trajectories) holds ids only. A picture is written beside its place and renamed
into it, the small JSON file last: an image whose JSON exists is whole, whoever was killed meanwhile, and two writers of
the same image do each other no harm. Reading computes the hash again, so a damaged file is found, never used.
"""

import hashlib
import json
import os
import re
import threading
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, overload

from PIL import Image

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.lossless import SUFFIXES, decode_lossless, encode_lossless, suffix_for
from tools.images.provenance import Provenance

_ID = re.compile(r"[0-9a-f]{64}")


class ImageStore:
    """Images by id, on disk, the ones used last also in memory. Safe to use from several threads and processes."""

    def __init__(self, folder: str | os.PathLike[str], memory_bytes: int = 128 * 2**20) -> None:
        self.folder = Path(folder)
        self.memory_bytes = memory_bytes
        self._recent: OrderedDict[str, MedicalImage] = OrderedDict()
        self._recent_bytes = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["ImageStore"], tuple[Path, int]]:
        return ImageStore, (self.folder, self.memory_bytes)

    def put(self, image: MedicalImage) -> str:
        """Keeps `image` and returns its id; one that is there already is not written again, its provenance stays."""
        if image.id in self:
            return image.id
        base = self._base(image.id)
        base.parent.mkdir(parents=True, exist_ok=True)
        _write(base.with_suffix(suffix_for(image.pixels)), encode_lossless(image.pixels))
        _write(base.with_suffix(".json"), json.dumps(_describe(image)).encode())
        self._remember(image)
        return image.id

    def get(self, image_id: str) -> MedicalImage:
        """The image; ImageError where it is missing or its file was damaged."""
        with self._lock:
            if (image := self._recent.get(image_id)) is not None:
                self._recent.move_to_end(image_id)
                return image
        image = self._read(image_id)
        self._remember(image)
        return image

    def path(self, image_id: str) -> Path:
        """The picture's file: PNG, or NPY for what no PNG holds (float, 16-bit colour). ImageError where missing."""
        base = self._base(image_id)
        for suffix in SUFFIXES:
            if (path := base.with_suffix(suffix)).exists():
                return path
        raise ImageError(f"Got the image id {image_id}, which this store does not hold; put the image first.")

    def __contains__(self, image_id: object) -> bool:
        if not isinstance(image_id, str) or not _ID.fullmatch(image_id):
            return False
        base = self._base(image_id)
        return base.with_suffix(".json").exists() and any(base.with_suffix(each).exists() for each in SUFFIXES)

    def _base(self, image_id: str) -> Path:
        if not _ID.fullmatch(image_id):
            raise ImageError(
                f"Got {image_id[:80]!r} as an image id, expected 64 hexadecimal digits as MedicalImage.id has."
            )
        return self.folder / image_id[:2] / image_id

    def _read(self, image_id: str) -> MedicalImage:
        path = self.path(image_id)
        try:
            facts = cast("dict[str, Any]", json.loads(path.with_suffix(".json").read_text()))
            image = MedicalImage(
                decode_lossless(path, str(facts["dtype"])),
                spacing=facts["spacing"],
                provenance=Provenance.from_dict(facts["provenance"]) if facts["provenance"] else None,
                window=facts["window"],
            )
            intact = facts["provenance_sha256"] == _hash(facts["provenance"])
        except (
            OSError,
            EOFError,
            SyntaxError,
            ValueError,
            TypeError,
            LookupError,
            Image.DecompressionBombError,
        ) as error:
            raise ImageError(
                f"Got files of image {image_id} that cannot be read ({type(error).__name__}); expected those that put "
                "wrote. Delete them and put the image again."
            ) from error
        if image.id != image_id or not intact:
            raise ImageError(
                f"Got other content (hash {image.id}) in the files of image {image_id}, or another provenance: they "
                "were damaged. Delete them and put the image again."
            )
        return image

    def _remember(self, image: MedicalImage) -> None:
        with self._lock:
            if image.id in self._recent:
                self._recent.move_to_end(image.id)
                return
            self._recent[image.id] = image
            self._recent_bytes += image.pixels.nbytes
            while self._recent_bytes > self.memory_bytes:
                _, forgotten = self._recent.popitem(last=False)
                self._recent_bytes -= forgotten.pixels.nbytes


class StoredImages(Sequence[MedicalImage]):
    """The images of a conversation, given as ids of a store; each is read when it is looked at."""

    def __init__(self, ids: Sequence[str], store: ImageStore) -> None:
        self._ids = ids
        self._store = store

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> MedicalImage: ...
    @overload
    def __getitem__(self, index: slice) -> "StoredImages": ...
    def __getitem__(self, index: int | slice) -> "MedicalImage | StoredImages":
        if isinstance(index, slice):
            return StoredImages(self._ids[index], self._store)
        return self._store.get(self._ids[index])


def _describe(image: MedicalImage) -> dict[str, Any]:
    provenance = image.provenance.to_dict() if image.provenance else None
    return {
        "dtype": image.pixels.dtype.name,
        "spacing": image.spacing,
        "window": image.window,
        "provenance": provenance,
        "provenance_sha256": _hash(provenance),  # the image's id covers all else
    }


def _hash(provenance: object) -> str:
    return hashlib.sha256(json.dumps(provenance, sort_keys=True).encode()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    unfinished.write_bytes(content)
    unfinished.replace(path)
