"""The chat model of our own that graphs run on, from a policy and the parts of its conversation."""

from agent.chat.base import ImageChatModel
from agent.chat.families.family import Family
from agent.chat.model import PolicyChatModel
from agent.limits import Limits
from agent.policies.policy import Policy
from tools.images.store import ImageStore

TAUGHT = "zoom_in,measure_distance"
"""What the embedded policy was taught to call."""
FOR_ANY_MODEL = "look,appearance,measure,find,read,volume"
"""What another chat model is offered: the families that show, measure or read what an image holds. Those that only
draw, and those that want weights of the user's, are for who names them."""


def chat_model(
    policy: Policy | None, family: Family, store: ImageStore, limits: Limits | None = None
) -> PolicyChatModel:
    """A chat model over `policy`; None: every episode brings its own (agent/chat/record/episode.py)."""
    limits = limits or Limits()
    return PolicyChatModel(
        policy=policy,
        family=family,
        store=store,
        context=limits.context,
        max_tokens=limits.turn_tokens,
    )


def default_tools(model: ImageChatModel) -> str:
    """The tools that a model is offered where nobody names any: names or families, with commas."""
    return TAUGHT if isinstance(model, PolicyChatModel) else FOR_ANY_MODEL
