"""The files of a checkpoint: which there may be, and how one is read that may have been written by anybody.

What is loaded here is data: weights as safetensors, settings as JSON, templates and notes as text. Code (`.py`, which a
`config.json` may name) and pickles (`.bin`, `.pt`, ...), which run when they are loaded, are refused before vLLM or
transformers hear of the folder, although neither is told to trust them.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json

MANIFEST = "manifest.json"
WEIGHTS = ("*.safetensors", "model.safetensors.index.json")
SETTINGS = ("config.json", "generation_config.json")
PROCESSOR = (
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)
"""What a trainer may leave out, and what then comes from the checkpoint that the training began with."""
PUBLISHED = (MANIFEST, *WEIGHTS, *SETTINGS, *PROCESSOR)
"""All that a published version holds."""
HARMLESS = frozenset({".safetensors", ".json", ".jsonl", ".jinja", ".txt", ".md", ".model", ".png", ".jpg", ""})
"""Suffixes of what a Hugging Face folder may hold; without one: LICENSE, .gitattributes."""
NAMING_CODE = ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json")
JSON_LIMIT = 64_000_000
"""Bytes; the largest tokenizers have half of it."""


class CheckpointError(ValueError):
    """A checkpoint is incomplete, changed, or does not fit. The message: got, expected, how to mend it."""


def check_files(folder: Path, *, published: bool) -> None:
    """Check that nothing in `folder` could run when it is loaded, and that all of it are regular files.

    A published version may hold PUBLISHED alone; a Hugging Face folder what is HARMLESS, at any depth, hidden folders
    apart, which nothing reads. Raises CheckpointError.
    """
    try:
        refused = sorted(_refused_files(folder) if published else _harmful_files(folder))
    except OSError as error:
        raise CheckpointError(
            f"got {folder}, which cannot be read ({error}); expected a checkpoint's folder"
        ) from error
    if refused:
        raise CheckpointError(
            f"got {shortened(refused)} in {folder}, expected weights as safetensors and settings as JSON, and neither "
            "code nor pickles, which could run when they are loaded; publish() takes only what is needed"
        )
    for name in NAMING_CODE:
        if (folder / name).exists() and "auto_map" in read_object(folder / name):
            raise CheckpointError(
                f"got code named in {folder / name} (auto_map), expected a model that vLLM has itself"
            )


def read_object(path: Path, limit: int = JSON_LIMIT) -> dict[str, Any]:
    """The JSON object in a regular file of at most `limit` bytes. Raises CheckpointError, whatever is in it."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise CheckpointError(f"got {path}, expected a regular file of JSON with at most {limit} bytes")
        text = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"got {path} missing or unreadable ({error}), expected it; publish it again") from error
    try:
        content: object = from_json(text)
    except ValueError as error:
        raise CheckpointError(f"got {path}, which is not JSON ({error}); publish it again") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"got a JSON {type(content).__name__} in {path}, expected an object; publish it again")
    return cast(dict[str, Any], content)


def shortened(reasons: list[str], shown: int = 5) -> str:
    """The first reasons, and how many more there are; none of them long."""
    more = f" and {len(reasons) - shown} more" if len(reasons) > shown else ""
    return "; ".join(reason if len(reason) <= 300 else f"{reason[:300]}..." for reason in reasons[:shown]) + more


def _refused_files(folder: Path) -> list[str]:
    allowed = {path.name for path in folder.iterdir() if path.is_file() and _is_any(path.name, PUBLISHED)}
    return [path.name for path in folder.iterdir() if path.name not in allowed]


def _harmful_files(folder: Path) -> list[str]:
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        here = Path(place)
        found += [str((here / name).relative_to(folder)) for name in folders if (here / name).is_symlink()]
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (here / name for name in names):
            if not path.is_file() or path.suffix.lower() not in HARMLESS:
                found.append(str(path.relative_to(folder)))
    return found


def _is_any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
