"""A policy that answers what it reads, and the turns that it is mostly told to write."""

from collections.abc import Callable, Sequence

from PIL.Image import Image

from agent.encoder import Encoder
from agent.policies.policy import Completion, Sampling

LOOK = (
    "<think>Closer.</think>"
    '<tool_call>{"name": "zoom_in", "arguments": {"image": 1, "box": [0, 0, 499, 499]}}</tool_call>'
)
Answering = Callable[[str], str]
"""From the whole chat to the next turn, without its end token."""


def answer(text: str) -> str:
    """A turn that answers."""
    return f"<think>I see it.</think><answer>{text}</answer>"


def spoken(chat: str) -> int:
    """Turns of the policy in a chat that ends where it is to speak."""
    return chat.count("<|im_start|>assistant\n") - 1


def looking(chat: str) -> str:
    """Looks once in each conversation, then answers."""
    return answer("cystic") if spoken(chat) else LOOK


class Answers:
    """A policy that reads the whole chat, whatever order the calls come in; it keeps every chat and its images."""

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
