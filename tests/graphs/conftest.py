"""A policy for graphs: its turns depend on what it was asked, not on the order of the calls."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL.Image import Image

from agent.chat_model.opening import family_in
from agent.encoder import Encoder
from agent.policies.policy import Completion, Sampling

Answering = Callable[[str], str]
"""From the whole chat to the next turn, without its end token."""


class Answers:
    """A policy that reads the whole chat; it keeps every chat and its images."""

    def __init__(self, answering: Answering, encoder: Encoder) -> None:
        self.answering = answering
        self.encoder = encoder
        self.chats: list[str] = []
        self.sizes: list[list[tuple[int, int]]] = []

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The turn that answers the chat."""
        chat = self.encoder.decode(token_ids)
        self.chats.append(chat)
        self.sizes.append([image.size for image in images])
        whole = tuple(self.encoder.encode(self.answering(chat) + "<|im_end|>")[0])
        ids = whole[: sampling.max_tokens]
        return Completion(ids, (-1.0,) * len(ids), "stop" if ids == whole else "length", ("v1",), None)


@pytest.fixture(scope="session")
def embedded() -> Encoder:
    """The encoder of the embedded policy, from the repository."""
    folder: Any = Path(__file__).parents[2] / "rl" / "base" / "checkpoint"
    return family_in(folder)
