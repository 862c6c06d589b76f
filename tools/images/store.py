"""A folder that holds each image once, under its content hash.

Everything else (graph state, ledger, trajectories) holds ids only. A picture is written beside its place and renamed
into it, the small JSON file last: an image whose JSON exists is whole, whoever was killed meanwhile, and two writers of
the same image do each other no harm. Reading computes the hash again, so a damaged file is found, never used. Only the
owner may read the files.
"""

import hashlib
import json
import os
import re
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, overload

from numpy.typing import NDArray
from PIL import Image

from tools.errors import ImageError
from tools.images.facts import Facts
from tools.images.image import MedicalImage
from tools.images.lossless import SUFFIXES, decode_lossless, encode_lossless
from tools.images.provenance import Provenance
from tools.images.volume import Volume
from tools.private_files import private_folder, write_private

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
        """Keeps `image` and returns its id; one that is there already is not written again, its provenance stays.

        Raises WriteError for a full disk or a folder that may not be written; no unfinished file is left then.
        """
        if image.id in self:
            return image.id
        base = self._base(image.id)
        private_folder(base.parent)
        suffix, content = encode_lossless(image.measured)
        write_private(base.with_suffix(suffix), content)
        write_private(base.with_suffix(".json"), json.dumps(_describe(image)).encode())
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
        """Its file: PNG, or NPY or NPZ for what none holds (float, 16-bit colour, volume). ImageError where missing."""
        base = self._base(image_id)
        for suffix in SUFFIXES:
            if os.path.exists(path := base.with_suffix(suffix)):  # False, too, where it may not be looked at
                return path
        raise ImageError(f"Got the image id {image_id}, which this store does not hold; put the image first.")

    def __contains__(self, image_id: object) -> bool:
        if not isinstance(image_id, str) or not _ID.fullmatch(image_id):
            return False
        base = self._base(image_id)
        there = {suffix for suffix in (".json", *SUFFIXES) if os.path.exists(base.with_suffix(suffix))}
        return ".json" in there and len(there) > 1

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
            image = _restored(decode_lossless(path, str(facts["dtype"])), facts)
            intact = facts["provenance_sha256"] == _hash(facts["provenance"])
        except (
            OSError,
            EOFError,
            SyntaxError,
            ValueError,
            TypeError,
            LookupError,
            Image.DecompressionBombError,
            zipfile.BadZipFile,
            zlib.error,
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
            self._recent_bytes += image.measured.nbytes
            while self._recent_bytes > self.memory_bytes:
                _, forgotten = self._recent.popitem(last=False)
                self._recent_bytes -= forgotten.measured.nbytes


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


def _restored(measured: NDArray[Any], facts: Mapping[str, Any]) -> MedicalImage:
    volume = None
    if (how := facts.get("volume")) is not None:
        volume = Volume(measured, how["slice_spacing"], how["directions"])
    return MedicalImage(
        measured if volume is None else volume.slice(volume.middle),
        spacing=facts["spacing"],
        provenance=Provenance.from_dict(facts["provenance"]) if facts["provenance"] else None,
        window=facts["window"],
        facts=Facts.from_dict(facts.get("facts", {})),
        volume=volume,
    )


def _describe(image: MedicalImage) -> dict[str, Any]:
    provenance = image.provenance.to_dict() if image.provenance else None
    volume = image.volume
    return {
        "dtype": image.pixels.dtype.name,
        "spacing": image.spacing,
        "window": image.window,
        **({"facts": known} if (known := image.facts.to_dict()) else {}),
        **({"volume": {"slice_spacing": volume.slice_spacing, "directions": volume.directions}} if volume else {}),
        "provenance": provenance,
        "provenance_sha256": _hash(provenance),  # the image's id covers all else
    }


def _hash(provenance: object) -> str:
    return hashlib.sha256(json.dumps(provenance, sort_keys=True).encode()).hexdigest()
