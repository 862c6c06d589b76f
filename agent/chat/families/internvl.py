"""InternVL3 in the form that transformers loads (`InternVLForConditionalGeneration`): ChatML and Hermes-style calls.

An image is cut into tiles of a fixed number of `<IMG_CONTEXT>` each, between `<img>` and `</img>`; `<IMG_CONTEXT>`
alone stands for it in the template and in what engines take. How many tiles is what the whole processor says, as
engines and transformers ask it: its own default goes before what the image processor's file says of cropping.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from PIL import Image

from agent.chat.families.hermes import Hermes
from agent.encoder import Grid, Inputs, Sized


class InternVL(Hermes):
    """The rules of InternVL3."""

    name: ClassVar[str] = "internvl"
    image_token: ClassVar[str] = "<IMG_CONTEXT>"
    image_text: ClassVar[str] = "<IMG_CONTEXT>"
    frame: ClassVar[tuple[str, str]] = ("<img>", "</img>")
    ends: ClassVar[tuple[str, ...]] = ("<|im_end|>", "<|endoftext|>")
    reserved: ClassVar[tuple[str, ...]] = ("<IMG_CONTEXT>", "<img>", "</img>", "<video>", "<|im_start|>")

    @classmethod
    def fits(cls, processor: Any) -> int:
        """Known by the placeholder of an image; its tokenizer holds Qwen's too, and its template is a plain one."""
        return 3 if cls.image_token in processor.tokenizer.get_vocab() else 0

    def grid(self, image: Sized) -> Grid:
        """(1, tiles, placeholders of a tile)."""
        counted = self.processor._get_num_multimodal_tokens(image_sizes=[(image.height, image.width)])
        return 1, int(counted["num_image_patches"][0]), int(self.processor.image_seq_length)

    def placeholders(self, grid: Grid) -> int:
        """Those of all tiles."""
        return math.prod(grid)

    def mm_inputs(self, images: Sequence[Image.Image]) -> dict[str, Any]:
        """`pixel_values`, float32 (tiles of all images, channels, rows, columns)."""
        if not images:
            return {}
        shown = [image.convert("RGB") for image in images]
        made = self.processor(images=shown, text=self.image_token * len(shown), return_tensors="pt")
        return {"pixel_values": made["pixel_values"]}

    def grid_of(self, inputs: Inputs) -> Grid:
        """By the number of tiles."""
        return 1, len(inputs["pixel_values"]), int(self.processor.image_seq_length)
