"""The policy that a run begins with, as a local folder in the run's precision.

Without a GPU that is float32: the committed base is kept in bfloat16 (half the bytes), and everything that is trained,
served and compared here runs in float32. With one, a hub name or folder is taken as it is.
"""

from pathlib import Path
from typing import Any, cast

from rl.config import ROOT, Config


class NoBaseError(FileNotFoundError):
    """There is no base checkpoint where the configuration says."""


def prepare(config: Config, work: Path) -> Path:
    """The base's folder; taught anew in `work` where the configuration asks for it. Raises NoBaseError."""
    if config.base.teach:
        from rl.toy import teach

        teach.main(["--out", str(work / "taught"), "--steps", str(config.base.steps), *_goes_on(config)])
        return in_float32(work / "taught", work / "float32")
    if config.device == "gpu":
        return downloaded(config.base.checkpoint)
    folder = ROOT / config.base.checkpoint
    if not (folder / "config.json").exists():
        raise NoBaseError(f"Got no checkpoint in {folder}; teach one: python -m rl.toy.teach --out {folder}")
    return in_float32(folder, work / "float32")


def lessons_root(config: Config) -> Path:
    """The folder with the images that lessons on real cells are made of. Raises NoBaseError where none is named."""
    root = config.tasks.options.get("root")
    if root is None:
        raise NoBaseError("Got base.lessons=cells without images: give 'tasks.options={root: FOLDER}'.")
    return Path(root)


def _goes_on(config: Config) -> list[str]:
    """Arguments of the teaching for lessons on real cells: on from the checkpoint, with another seed."""
    if config.base.lessons == "phantoms":
        return []
    start = ROOT / config.base.checkpoint
    return ["--cells", str(lessons_root(config)), "--start", str(start), "--seed", "1", "--learning-rate", "1.2e-3"]


def in_float32(folder: Path, out: Path) -> Path:
    """The checkpoint in `folder` with its weights in float32, written to `out`."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    cast(Any, AutoModelForImageTextToText).from_pretrained(folder, dtype=torch.float32).save_pretrained(out)
    cast(Any, AutoProcessor).from_pretrained(folder).save_pretrained(out)
    return out


def downloaded(name: str) -> Path:
    """A local folder as it is, or a model of the Hugging Face hub."""
    import huggingface_hub

    return Path(name) if Path(name).is_dir() else Path(cast(Any, huggingface_hub).snapshot_download(name))
