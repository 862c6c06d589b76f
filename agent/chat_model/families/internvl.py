"""InternVL3 in the form that transformers loads (`InternVLForConditionalGeneration`): ChatML and Hermes-style calls.

A picture is cut into tiles of 256 placeholders each, `<img><IMG_CONTEXT>...</img>`; `<IMG_CONTEXT>` alone stands for
it in the template and in what engines take.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from agent.chat_model.families.family import Tokens
from agent.chat_model.families.framed import FramedEncoder
from agent.chat_model.families.hermes import Hermes
from agent.encoder import Encoder, Sized

PAD, START, END = "<IMG_CONTEXT>", "<img>", "</img>"
FRAME_TOKENS = 2
"""The start and the end, which transformers counts too."""


class InternVLEncoder(FramedEncoder):
    """Counts tiles as transformers does."""

    def tiles(self, image: Sized) -> int:
        """How many tiles an image is cut into."""
        counted = self.processor._get_num_multimodal_tokens(image_sizes=[(image.height, image.width)])
        return (counted["num_image_tokens"][0] - FRAME_TOKENS) // self.processor.image_seq_length


class InternVL(Hermes):
    """The rules of InternVL3."""

    name: ClassVar[str] = "internvl"

    @classmethod
    def fits(cls, processor: Any) -> int:
        """Known by the placeholder of an image; its tokenizer holds Qwen's too, and its template is a plain one."""
        return 3 if PAD in processor.tokenizer.get_vocab() else 0

    def encoder_of(self, processor: Any) -> Encoder:
        """The encoder of its frames."""
        return InternVLEncoder(processor, PAD, "<|im_end|>", (PAD, START, END, "<|im_start|>"))

    def tokens(self, text: str, images: Sequence[Sized]) -> Tokens:
        """The ids of a text that was rendered here."""
        encoder = self.encoder
        assert isinstance(encoder, InternVLEncoder)
        grids = [encoder.grid(image) for image in images]
        frames = [f"{START}{PAD * encoder.placeholders(grid)}{END}" for grid in grids]
        return encoder.framed(text, PAD, frames, grids)
