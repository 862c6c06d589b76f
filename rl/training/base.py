"""The policy that a run begins with: where its checkpoint lies, and the lessons that it was taught on, if any.

A checkpoint is a folder, one that an installed package brings under a name (entry point group `medvista.checkpoints`),
or a model of the Hugging Face hub. Without a GPU everything is trained, served and compared in float32, so the weights
are kept so; with one they are taken as they are.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from graphs.app.default_checkpoint import shipped
from rl.config import ROOT, Config
from rl.rollout.run_parts import RunParts
from rl.trajectories.check import TrainingRow


class NoBaseError(FileNotFoundError):
    """There is no base checkpoint, or no lessons for it, where the configuration says."""


class Curriculum(Protocol):
    """What a base was taught: how it is taught anew, and lessons to replay beside what it learns later."""

    @property
    def like(self) -> Path:
        """A checkpoint that reads and writes as the taught one will."""
        ...

    def teach(self, out: Path) -> None:
        """Teaches the base anew; its checkpoint is written to `out`."""
        ...

    def rows(self, parts: RunParts, rng: np.random.Generator) -> Iterator[TrainingRow]:
        """Lessons without end, each a row of ids whose targets alone are trained."""
        ...


def curriculum(config: Config) -> Curriculum | None:
    """What `base.lessons` names; None where it names nothing. Raises NoBaseError."""
    named = config.base.lessons
    if named is None:
        return None
    module, _, name = named.partition(":")
    try:
        made: Any = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise NoBaseError(f"Got base.lessons={named}, expected module:class of a curriculum: {error}.") from error
    return cast(Curriculum, made(config))


def checkpoint_folder(name: str) -> Path | None:
    """The folder of a checkpoint that is on this machine; None for a name that only a hub could know."""
    return shipped(name) or (folder if (folder := ROOT / name).is_dir() else None)


def prepare(config: Config, work: Path) -> Path:
    """The base's folder; taught anew in `work` where the configuration asks for it. Raises NoBaseError."""
    if config.base.teach:
        if (lessons := curriculum(config)) is None:
            raise NoBaseError("Got base.teach without base.lessons, expected module:class of what to teach.")
        lessons.teach(work / "taught")
        return in_float32(work / "taught", work / "float32")
    folder = checkpoint_folder(config.base.checkpoint)
    if config.device == "gpu":
        return folder or _downloaded(config.base.checkpoint)
    if folder is None or not (folder / "config.json").exists():
        raise NoBaseError(f"Got no checkpoint in {folder or config.base.checkpoint}; give another folder.")
    return in_float32(folder, work / "float32")


def in_float32(folder: Path, out: Path) -> Path:
    """The checkpoint in `folder` with its weights in float32, written to `out`."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    cast(Any, AutoModelForImageTextToText).from_pretrained(folder, dtype=torch.float32).save_pretrained(out)
    cast(Any, AutoProcessor).from_pretrained(folder).save_pretrained(out)
    return out


def _downloaded(name: str) -> Path:
    """A model of the Hugging Face hub."""
    import huggingface_hub

    return Path(cast(Any, huggingface_hub).snapshot_download(name))
