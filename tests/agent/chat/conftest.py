"""A chat model of the embedded policy's tokenizer whose turns a test writes."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from PIL.Image import Image

from agent.chat import PolicyChatModel
from agent.chat.families.family import Family
from agent.encoder import Encoder
from agent.policies.policy import Completion, Sampling
from agent.policies.scripted import Script, ScriptedPolicy
from tools.images.store import ImageStore


class Heard:
    """A scripted policy that keeps what it was asked, and gives each id a log-probability of its own.

    A sequence of turns is played by the number of the call, whatever conversation it belongs to.
    """

    def __init__(self, script: Script | Sequence[str], encoder: Encoder) -> None:
        turns = script if callable(script) else lambda _turn, _last: script[len(self.prompts) - 1]
        self.script = ScriptedPolicy(turns, encoder)
        self.encoder = encoder
        self.prompts: list[list[int]] = []
        self.images: list[int] = []
        self.samplings: list[Sampling] = []

    @property
    def texts(self) -> list[str]:
        """The prompts as text."""
        return [self.encoder.decode(prompt) for prompt in self.prompts]

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The script's next turn."""
        self.prompts.append(list(token_ids))
        self.images.append(len(images))
        self.samplings.append(sampling)
        done = await self.script.generate(token_ids, images, sampling)
        number = len(self.prompts)
        logprobs = tuple(-number - place / 100 for place in range(len(done.token_ids)))
        return Completion(done.token_ids, logprobs, done.finish_reason, (f"v{number}",), None)


@pytest.fixture(scope="session")
def family(encoder: Family) -> Family:
    """The rules of the embedded policy."""
    return encoder


@pytest.fixture
def speaking(family: Family, store: ImageStore) -> Callable[..., tuple[PolicyChatModel, Heard]]:
    """`speaking(turns or script, **fields)`: the model, and what its policy hears."""

    def make(script: Script | Sequence[str], **fields: Any) -> tuple[PolicyChatModel, Heard]:
        heard = Heard(script, family)
        return PolicyChatModel(policy=heard, family=family, store=store, **fields), heard

    return make
