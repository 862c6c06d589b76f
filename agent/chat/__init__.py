"""Our policies as LangChain chat models: token-exact, recorded, trainable; and any other chat model beside them.

`PolicyChatModel` is the model, `Episode` records what it samples and gives the training rows; `with_images` makes any
other chat model one that graphs run on.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.chat.families.find import family_of
    from agent.chat.model import PolicyChatModel
    from agent.chat.provider.model import ProviderChatModel, with_images
    from agent.chat.record.episode import Episode
    from agent.chat.record.policy_calls import PolicyCall, at_nodes, unguided, with_tags
    from agent.chat.record.rows import Row

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
    "Episode": "agent.chat.record.episode",
    "PolicyCall": "agent.chat.record.policy_calls",
    "PolicyChatModel": "agent.chat.model",
    "ProviderChatModel": "agent.chat.provider.model",
    "Row": "agent.chat.record.rows",
    "at_nodes": "agent.chat.record.policy_calls",
    "family_of": "agent.chat.families.find",
    "unguided": "agent.chat.record.policy_calls",
    "with_images": "agent.chat.provider.model",
    "with_tags": "agent.chat.record.policy_calls",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'agent.chat' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
