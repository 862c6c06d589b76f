"""The checkpoints that speak as Qwen's do, but for ...: what is different, and how they are known."""

from typing import Any, ClassVar

from agent.chat.families.qwen import Qwen

MARK = "<|new_family|>"
"""A token of its vocabulary that no other family has."""


class NewFamily(Qwen):
    """The rules of these checkpoints: what is not said here is as in Qwen's."""

    name: ClassVar[str] = "new_family"

    @classmethod
    def fits(cls, processor: Any) -> int:
        """Known by the mark, and then surer than Qwen."""
        return 9 if MARK in processor.tokenizer.get_vocab() else 0
