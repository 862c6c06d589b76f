"""How the policy that a run begins with speaks, before its first stage has made the base."""

from pathlib import Path
from typing import Any, cast

from agent.chat.families.family import Family
from agent.chat.families.template import TemplateError
from agent.chat.loading import family_in
from agent.encoder import EncodingError
from rl.config import ROOT, Config
from rl.training.base import NoBaseError, checkpoint_folder, curriculum
from rl.training.preflight.finding import Finding

SMALL = ("*.json", "*.txt", "*.jinja")
"""What of a hub's checkpoint is needed: no weights."""


def family_of(config: Config, fetch: bool) -> Family | Finding:
    """The run's family, or why there is none; `fetch`: a hub's checkpoint that is not here is asked for its files."""
    folder = folder_of(config, fetch)
    if isinstance(folder, Finding):
        return folder
    try:
        return family_in(folder)
    except (EncodingError, TemplateError, OSError, ValueError) as error:
        return Finding("base.checkpoint", f"Got {config.base.checkpoint}, whose processor cannot be read: {error}")


def folder_of(config: Config, fetch: bool) -> Path | Finding:
    """Where the checkpoint that the run begins with lies, or why it does not."""
    name = config.base.checkpoint
    try:
        lessons = curriculum(config)
    except NoBaseError as error:
        return Finding("base.lessons", str(error))
    if config.base.teach and lessons:
        return lessons.like
    folder = checkpoint_folder(name)
    if folder is None and config.device == "gpu":
        return _from_hub(name, fetch)
    if folder is None or not (folder / "config.json").exists():
        return Finding("base.checkpoint", f"Got no checkpoint in {folder or ROOT / name}; give another folder.")
    return folder


def _from_hub(name: str, fetch: bool) -> Path | Finding:
    import huggingface_hub

    load = cast(Any, huggingface_hub).snapshot_download
    try:
        return Path(load(name, allow_patterns=list(SMALL), local_files_only=not fetch))
    except (OSError, ValueError) as error:  # the hub's own errors are among these
        said = f"Got {name}, which is not on this machine" + (f" and cannot be had: {error}." if fetch else ".")
        more = "" if fetch else " What calls and prompts cost in its tokens is counted when the run starts."
        return Finding("base.checkpoint", said + more, stops=fetch)
