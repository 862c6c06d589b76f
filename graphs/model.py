"""The chat model that a graph of messages runs on, from the parts that graphs are compiled of."""

from agent.chat_model.families.find import family_of
from agent.chat_model.model import PolicyChatModel
from agent.encoder import Encoder
from agent.limits import Limits
from agent.policies.policy import Policy, Sampling
from tools.images.store import ImageStore


def chat_model(
    policy: Policy, encoder: Encoder, store: ImageStore, limits: Limits | None, sampling: Sampling | None
) -> PolicyChatModel:
    """A chat model over `policy`; greedy where no sampling is given."""
    limits, sampling = limits or Limits(), sampling or Sampling(temperature=0.0)
    return PolicyChatModel(
        policy=policy,
        family=family_of(encoder.processor),
        store=store,
        context=limits.context,
        max_tokens=limits.turn_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        seed=sampling.seed,
    )
