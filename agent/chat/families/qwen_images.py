"""Images as Qwen2.5-VL and Qwen3-VL see them, and the embedded policy, which is of their architecture.

An image is cut into patches, of which squares are merged into one `<|image_pad|>` each; how many there are follows from
its size. Positions of ids in an image are known by a type for each id.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from PIL import Image

from agent.encoder import Encoder, EncodingError, Grid, Inputs, Sized


class QwenImages(Encoder):
    """Patches, merged."""

    image_token: ClassVar[str] = "<|image_pad|>"
    image_text: ClassVar[str] = "<|vision_start|><|image_pad|><|vision_end|>"
    reserved: ClassVar[tuple[str, ...]] = (
        "<|image_pad|>",
        "<|video_pad|>",
        "<|vision_start|>",
        "<|vision_end|>",
        "<|im_start|>",
    )

    @classmethod
    def sees(cls, processor: Any) -> bool:
        """Whether a processor cuts images so."""
        cuts = hasattr(getattr(processor, "image_processor", None), "merge_size")
        return cuts and cls.image_token in processor.tokenizer.get_vocab()

    def grid(self, image: Sized) -> Grid:
        """One frame, rows and columns of patches."""
        from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

        processor = self.processor.image_processor
        least, most = processor.size["shortest_edge"], processor.size["longest_edge"]
        factor = processor.patch_size * processor.merge_size
        try:
            rows, columns = smart_resize(image.height, image.width, factor, min_pixels=least, max_pixels=most)
        except ValueError as error:
            raise EncodingError(
                f"Got an image of {image.width} x {image.height} pixels, which the image processor refuses ({error}); "
                "give one that is less narrow."
            ) from error
        return 1, rows // processor.patch_size, columns // processor.patch_size

    def placeholders(self, grid: Grid) -> int:
        """One for each merged patch."""
        return math.prod(grid) // self.processor.image_processor.merge_size**2

    def mm_inputs(self, images: Sequence[Image.Image]) -> dict[str, Any]:
        """`pixel_values`, float32 (patches of all images, channels * 2 * patch * patch), and `image_grid_thw`."""
        if not images:
            return {}
        made = self.processor.image_processor(images=[image.convert("RGB") for image in images], return_tensors="pt")
        return {name: made[name] for name in ("pixel_values", "image_grid_thw")}

    def grid_of(self, inputs: Inputs) -> Grid:
        """What the image processor says it cut, if the pixels are as many."""
        frames, rows, columns = (int(value) for value in inputs["image_grid_thw"][0])
        if len(inputs["pixel_values"]) != frames * rows * columns:
            got = f"{len(inputs['pixel_values'])} patches"
            raise EncodingError(f"Got {got} for a grid of {frames, rows, columns}, expected as many as it has.")
        return frames, rows, columns

    def forward_inputs(self, ids: Any, inputs: Inputs) -> dict[str, Any]:
        """With `mm_token_type_ids`: 1 where an id is a piece of an image."""
        return {**inputs, "mm_token_type_ids": (ids == self.image_pad).int()}
