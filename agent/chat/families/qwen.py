"""Qwen2.5-VL and Qwen3-VL: ChatML, `<|image_pad|>` for an image, Hermes-style calls, `<think>` in the thinking models.

Their template drops the thoughts of turns before the last question; here a turn stands as it was sampled, thoughts
included, because a policy is trained on what it saw.
"""

from typing import Any, ClassVar

from agent.chat.families.hermes import Hermes
from agent.chat.families.qwen_images import QwenImages


class Qwen(QwenImages, Hermes):
    """The rules of Qwen2.5-VL and Qwen3-VL."""

    name: ClassVar[str] = "qwen"
    ends: ClassVar[tuple[str, ...]] = ("<|im_end|>", "<|endoftext|>")

    @classmethod
    def fits(cls, processor: Any) -> int:
        """Known by how it sees."""
        return 1 if cls.sees(processor) else 0
