"""From names (a checkpoint's folder, a server's address) to the parts of a chat model."""

from pathlib import Path

from agent.chat.families.family import Family
from agent.policies.policy import Policy


def family_in(folder: Path) -> Family:
    """The rules for the checkpoint in a folder. Raises EncodingError or TemplateError."""
    from agent.chat.families.find import family_of
    from agent.encoder import load_processor

    return family_of(load_processor(folder))


def served_at(url: str, checkpoint: Path | None, model: str) -> Policy:
    """The policy of a vLLM server; its first version is the checkpoint's, or its folder's name, until it is swapped."""
    from agent.policies.served import ServedPolicy
    from agent.serving.checkpoint import MANIFEST, load_checkpoint
    from agent.serving.versions import AskedVersions

    version = model
    if checkpoint is not None:
        version = load_checkpoint(checkpoint).version if (checkpoint / MANIFEST).exists() else checkpoint.resolve().name
    return ServedPolicy(url, AskedVersions(version), model=model)
