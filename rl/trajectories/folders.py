"""From a path that a person gives to the trajectories, images and encoder that belong together.

A run, an evaluation and an export are laid out alike: `trajectories/` (a folder of shards for each stage, or shards at
once), `images/`, and for a run `checkpoints/base/` with the tokenizer and the image processor. A folder inside one of
these stands for its part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rl.trajectories.store import TrajectoryStore

TRAJECTORIES = "trajectories"
IMAGES = "images"
BASE = Path("checkpoints") / "base"


class FolderError(FileNotFoundError):
    """A folder without what is looked for; says what was got and expected."""


@dataclass(frozen=True)
class Folders:
    """What belongs together."""

    stages: tuple[Path, ...]
    """Folders that hold shards or journals."""
    images: Path
    base: Path | None
    """A checkpoint's folder with the encoder's files; None where there is none."""

    def stores(self) -> Sequence[TrajectoryStore]:
        """A store for each stage."""
        return [TrajectoryStore(stage) for stage in self.stages]


def open_folders(path: Path, images: Path | None = None, checkpoint: Path | None = None) -> Folders:
    """The folders around `path`; what is given wins. Raises FolderError where there are no trajectories or images."""
    inside = path / TRAJECTORIES if (path / TRAJECTORIES).is_dir() else path
    stages = [folder for folder in (inside, *sorted(inside.glob("*/"))) if TrajectoryStore(folder).files()]
    if not stages:
        raise FolderError(f"Got {path}, in which no trajectories lie; expected a run's folder, or one with shards.")
    around = (path, *path.resolve().parents[:3])
    images = images or next((each / IMAGES for each in around if (each / IMAGES).is_dir()), None)
    if images is None:
        raise FolderError(f"Got {path} without a folder {IMAGES}/ in it or above it; name it by --images.")
    base = checkpoint or next((each / BASE for each in around if (each / BASE).is_dir()), None)
    return Folders(tuple(stages), images, base)
