"""Which checkpoint a graph runs on where nobody names one: the one place that knows where checkpoints lie.

In this order: the folder in the environment variable MEDVISTA_CHECKPOINT; the version published last by any run
(`runs/NAME/checkpoints/VERSION`, under the working directory); the embedded base that comes with the code
(`rl/base/checkpoint`, found by its place, because graphs know nothing of training).
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from agent.serving.checkpoint import MANIFEST, Checkpoint, CheckpointError, latest, load

VARIABLE = "MEDVISTA_CHECKPOINT"
RUNS = Path("runs")
BASE = Path(__file__).parents[1] / "rl" / "base" / "checkpoint"


def default_folder() -> Path:
    """The folder of the default checkpoint. Raises CheckpointError where there is none."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    newest = [latest(folder) for folder in sorted(RUNS.glob("*/checkpoints"))]
    if found := max((checkpoint for checkpoint in newest if checkpoint), default=None):
        return found.folder
    if BASE.is_dir():
        return BASE
    raise CheckpointError(
        f"got no checkpoint in {RUNS}/*/checkpoints, in {VARIABLE} or as the embedded base, expected one; "
        "train one with 'make train', or name a folder with --checkpoint"
    )


def open_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in `folder`: a published version, or any Hugging Face folder, whose name then is its version.

    Raises CheckpointError where the folder holds neither.
    """
    if (folder / MANIFEST).exists():
        return load(folder)
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"got {folder}, expected the folder of a published version or of a Hugging Face model (with a "
            "config.json); see runs/*/checkpoints"
        )
    changed = datetime.fromtimestamp((folder / "config.json").stat().st_mtime, UTC)
    return Checkpoint(
        version=folder.resolve().name, parent=None, created=changed, files={}, metrics={}, folder=folder.resolve()
    )
