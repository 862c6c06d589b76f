"""Where the files of a set lie, and a clear word where they do not."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rl.tasks.errors import MissingData, TaskFileError
from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.load import load_image

DATA = "MEDVISTA_DATA"
"""Environment variable: a folder that holds one folder a set."""


def data_folder(root: Path | None, name: str, needed: Sequence[str], published: str) -> Path:
    """The folder with (one of) the files `needed`: `root`, `root`/`name`, or `name` in MEDVISTA_DATA.

    Raises MissingData, which says what is missing and where it is published.
    """
    beside = [Path(os.environ[DATA]) / name] if DATA in os.environ else []
    places = [root, root / name] if root is not None else beside
    for place in places:
        if any(any(place.glob(file)) for file in needed):
            return place
    looked = ", ".join(map(str, places)) or f"nowhere: neither root nor {DATA} is given"
    raise MissingData(
        f"Got no {' or '.join(needed)} (looked in {looked}), expected the files of {name} as published at {published}. "
        f"Get them, and give their folder as root, or its parent as {DATA}."
    )


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises TaskFileError."""
    try:
        return whole_text(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise MissingData(f"Got no {path}, expected a JSON file there.") from error
    except (OSError, ValueError) as error:
        raise TaskFileError(f"Got {path}, which cannot be read as JSON: {error}") from error


def whole_text(value: Any) -> Any:
    """The value that JSON gave. Raises ValueError where a text holds half a surrogate pair: escapes can spell one, but
    no tokenizer and no file takes it.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        beside = str(error.object)[max(0, error.start - 20) : error.end + 20]
        raise ValueError(
            f"got half a surrogate pair in {beside!r}, expected whole characters; write the character itself, or both "
            "halves."
        ) from error
    return value


def content_of(path: Path) -> str:
    """Sha-256, in hex, of a file's bytes: cheaper than decoding, for who only asks which split an image belongs to.

    Raises MissingData.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise MissingData(f"Got no {path} that can be read, expected an image there.") from error


def read_image(source: Path | bytes, where: str) -> MedicalImage:
    """An image of a set. Raises TaskFileError that says which (`where`)."""
    try:
        return load_image(source)
    except ImageError as error:
        raise TaskFileError(f"{where}: {error}") from error
