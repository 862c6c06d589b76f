"""A checkpoint is an immutable folder: written once, under a name that is never used again, with a manifest.

A server, a report and a trajectory all name a policy by its version, so one version must mean one set of weights for
ever. The files are copied, not linked: a trainer that rewrites its own folder in place would change a linked one too.
The folder appears under its name in one step, whole, or not at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict

from agent.serving.files import MANIFEST, PROCESSOR, SETTINGS, WEIGHTS, CheckpointError, read_object
from agent.serving.staging import unfinished

_log = logging.getLogger(__name__)
VERSION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
TEXT_ARCHITECTURE = {"qwen3_vl": "Qwen3ForCausalLM"}
"""For vLLM 0.29 on CPU, which stops with 'list index out of range' where `text_config.architectures` is not set."""


class Checkpoint(BaseModel):
    """One published version of a policy. Checkpoints are ordered by when they were published."""

    model_config = ConfigDict(frozen=True)

    version: str
    parent: str | None
    """The version that it was trained from; None for the first."""
    created: AwareDatetime
    """When it was published, UTC; strictly later than every other checkpoint of its versions folder."""
    files: Mapping[str, str]
    """File name to SHA-256, in hexadecimal, for every file but the manifest."""
    metrics: Mapping[str, float]
    folder: Path

    def __lt__(self, other: Checkpoint) -> bool:
        return (self.created, self.version) < (other.created, other.version)


def publish(
    source: Path,
    versions: Path,
    version: str,
    parent: str | None,
    metrics: Mapping[str, float],
    settings_from: Path | None = None,
) -> Checkpoint:
    """Copy the Hugging Face folder `source` to `versions/version`, complete it, and seal it with a manifest.

    `settings_from`: the folder that `source` was trained from, to take all but the weights from. Training changes
    nothing else, but transformers writes a downloaded config and tokenizer in words of its own, and a running server
    takes only weights that come with the very settings it has.
    Raises CheckpointError where the version exists already, its name is not plain, or a needed file is nowhere.
    """
    if not VERSION_NAME.fullmatch(version):
        raise CheckpointError(f"got version {version!r}, expected at most 100 letters, digits, '.', '_' and '-'")
    target = versions / version
    if target.exists():
        raise CheckpointError(f"got version {version!r}, which {versions} holds already; a version is never used again")
    chosen = _files_to_publish(source, settings_from or source)
    versions.mkdir(parents=True, exist_ok=True)
    with unfinished(versions, version) as temporary:
        earlier = [checkpoint.created for checkpoint in published_checkpoints(versions)]
        hashes = {name: _write(name, path, temporary / name) for name, path in sorted(chosen.items())}
        manifest = Checkpoint(
            version=version,
            parent=parent,
            created=max([datetime.now(UTC), *(time + timedelta(microseconds=1) for time in earlier)]),
            files=hashes,
            metrics=dict(metrics),
            folder=target,
        )
        text = manifest.model_dump_json(indent=2, exclude={"folder"})
        (temporary / MANIFEST).write_text(text + "\n", encoding="utf-8")
        for file in temporary.iterdir():
            file.chmod(0o444)
        temporary.chmod(0o755)
        if target.exists():
            raise CheckpointError(f"got version {version!r}, which was published meanwhile; choose another")
        temporary.rename(target)
    return load_checkpoint(target)


def load_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in `folder`, from its manifest alone. Raises CheckpointError where there is none."""
    if not (folder / MANIFEST).exists():
        raise CheckpointError(f"got no {MANIFEST} in {folder}, expected what publish() makes; publish it first")
    try:
        checkpoint = Checkpoint.model_validate({**read_object(folder / MANIFEST), "folder": folder})
    except ValueError as error:
        raise CheckpointError(f"got a broken {MANIFEST} in {folder} ({error}); publish the source again") from error
    if not VERSION_NAME.fullmatch(checkpoint.version):
        raise CheckpointError(f"got {checkpoint.version!r} as the version of {folder}, expected a plain name")
    return checkpoint


def published_checkpoints(versions: Path) -> list[Checkpoint]:
    """All checkpoints of a versions folder, the oldest first. Raises CheckpointError for a broken one.

    Unfinished ones have hidden names and are not seen; a folder without a manifest was never published, and is skipped.
    """
    folders = [path for path in versions.iterdir() if path.is_dir()] if versions.is_dir() else []
    seen = [folder for folder in folders if not folder.name.startswith(".")]
    for folder in seen:
        if not (folder / MANIFEST).exists():
            _log.warning("%s holds no %s: it is no published version, and is passed over", folder, MANIFEST)
    return sorted(load_checkpoint(folder) for folder in seen if (folder / MANIFEST).exists())


def latest_checkpoint(versions: Path) -> Checkpoint | None:
    """The checkpoint that was published last, or None."""
    return max(published_checkpoints(versions), default=None)


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_to_publish(source: Path, settings: Path) -> dict[str, Path]:
    paths = [*_existing(source, WEIGHTS), *_existing(settings, (*SETTINGS, *PROCESSOR))]
    chosen = {path.name: path for path in paths}
    lacking = [name for name in ("config.json", "tokenizer.json") if name not in chosen]
    if not any(name.endswith(".safetensors") for name in chosen):
        lacking.append("*.safetensors")
    if not {"processor_config.json", "preprocessor_config.json"} & chosen.keys():
        lacking.append("processor_config.json or preprocessor_config.json")
    if lacking:
        places = str(source) if source == settings else f"{source} and {settings}"
        raise CheckpointError(
            f"got no {', '.join(lacking)} in {places}, expected a Hugging Face folder with safetensors; "
            "name the folder that training began with as settings_from"
        )
    return chosen


def _existing(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]


def _write(name: str, source: Path, target: Path) -> str:
    """Copy one file (config.json: completed), force it to the disk, return its hash."""
    if name == "config.json":
        target.write_text(json.dumps(_complete_config(source), indent=2) + "\n", encoding="utf-8")
    else:
        shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    return hash_file(target)


def _complete_config(path: Path) -> dict[str, Any]:
    config = read_object(path)
    text: object = config.get("text_config")
    architecture = TEXT_ARCHITECTURE.get(str(config.get("model_type")))
    if isinstance(text, dict) and not cast(dict[str, Any], text).get("architectures") and architecture:
        text["architectures"] = [architecture]
    return config
