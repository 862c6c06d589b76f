"""Our policies as LangChain chat models: token-exact, recorded, trainable; and any other chat model beside them.

`PolicyChatModel` is the model, `Episode` records what it samples and gives the training rows; `with_images` makes any
other chat model one that graphs run on.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.chat_model.calls import PolicyCall, at_nodes, unguided, with_tags
    from agent.chat_model.episode import Episode
    from agent.chat_model.families.find import family_of
    from agent.chat_model.model import PolicyChatModel
    from agent.chat_model.provider import ProviderChatModel, with_images
    from agent.chat_model.rows import Row

__all__ = [
    "Episode",
    "PolicyCall",
    "PolicyChatModel",
    "ProviderChatModel",
    "Row",
    "at_nodes",
    "family_of",
    "unguided",
    "with_images",
    "with_tags",
]
_HOMES = {
    "Episode": "agent.chat_model.episode",
    "PolicyCall": "agent.chat_model.calls",
    "PolicyChatModel": "agent.chat_model.model",
    "ProviderChatModel": "agent.chat_model.provider",
    "Row": "agent.chat_model.rows",
    "at_nodes": "agent.chat_model.calls",
    "family_of": "agent.chat_model.families.find",
    "unguided": "agent.chat_model.calls",
    "with_images": "agent.chat_model.provider",
    "with_tags": "agent.chat_model.calls",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'agent.chat_model' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
