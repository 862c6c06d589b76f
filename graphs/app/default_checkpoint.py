"""Which checkpoint a graph runs on where nobody names one: the one place that knows where checkpoints lie.

In this order: the folder in the environment variable MEDVISTA_CHECKPOINT; the version published last by any run
(`runs/NAME/checkpoints/VERSION`, under the working directory); the embedded base, which comes with the code and is
found by its entry point (group `medvista.checkpoints`), because graphs know nothing of training. Where a server of ours
runs, `graphs.app.connection` asks none of these: what runs is meant.
"""

import logging
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from agent.serving.checkpoint import Checkpoint, load_checkpoint
from agent.serving.files import MANIFEST, CheckpointError
from agent.serving.validation import check_contents
from tools.discovery import installed

VARIABLE = "MEDVISTA_CHECKPOINT"
RUNS = Path("runs")
ENTRY_POINT_GROUP = "medvista.checkpoints"
"""Folders of checkpoints that installed packages bring, by name."""
EMBEDDED = "embedded"
_log = logging.getLogger(__name__)


def default_folder() -> Path:
    """The folder of the default checkpoint. Raises CheckpointError where there is none.

    What lies beside published versions and is none, or a broken one, is passed over with a warning.
    """
    if named := named_folder():
        return named
    for version in sorted(filter(None, map(_manifest, _candidates())), reverse=True):
        if _is_usable(version):
            return version.folder
    if base := shipped():
        return base
    raise CheckpointError(
        f"got no checkpoint in {RUNS}/*/checkpoints, in {VARIABLE} or as the embedded base, expected one; "
        "train one with 'make train', or name a folder with --checkpoint"
    )


@cache
def shipped(name: str = EMBEDDED) -> Path | None:
    """The folder of a checkpoint that an installed package brings; None where none brings one of that name.

    Raises EntryPointError.
    """
    brought = dict(installed(ENTRY_POINT_GROUP, "the Path of a folder", _is_folder))
    return brought.get(name)


def _is_folder(loaded: object) -> bool:
    return isinstance(loaded, Path) and loaded.is_dir()


def embedded() -> Path:
    """The folder of the embedded base. Raises CheckpointError where MedVista is not installed, but only on the path."""
    if folder := shipped():
        return folder
    raise CheckpointError(f"got no checkpoint named {EMBEDDED!r} among installed packages, expected ours; make setup")


def named_folder() -> Path | None:
    """The folder that the environment names, if it does."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def open_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in `folder`: a published version, or any Hugging Face folder, whose name then is its version.

    Raises CheckpointError where the folder holds neither, or is not whole, or holds what could run when it is loaded.
    """
    checkpoint = load_checkpoint(folder) if (folder / MANIFEST).exists() else _plain(folder)
    check_contents(checkpoint)
    return checkpoint


def _plain(folder: Path) -> Checkpoint:
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"got {folder}, expected the folder of a published version or of a Hugging Face model (with a "
            "config.json); see runs/*/checkpoints"
        )
    changed = datetime.fromtimestamp((folder / "config.json").stat().st_mtime, UTC)
    return Checkpoint(
        version=folder.resolve().name, parent=None, created=changed, files={}, metrics={}, folder=folder.resolve()
    )


def _candidates() -> list[Path]:
    """What lies in the folders of published versions; hidden ones are being published, files are nobody's."""
    found = sorted(RUNS.glob("*/checkpoints/*"))
    return [path for path in found if path.is_dir() and not path.name.startswith(".")]


def _manifest(folder: Path) -> Checkpoint | None:
    try:
        return load_checkpoint(folder)
    except CheckpointError as error:
        _log.warning("passed over: %s", error)
        return None


def _is_usable(version: Checkpoint) -> bool:
    try:
        check_contents(version)
    except CheckpointError as error:
        _log.warning("passed over: %s", error)
        return False
    return True
