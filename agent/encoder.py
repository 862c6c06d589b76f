"""Text and images to token ids, once: the only place where an agent tokenises.

Qwen-VL models read an image as one `<|image_pad|>` id per merged patch. `encode` turns the single placeholder that
agent/prompt.py writes per image into that run, whose length follows from the grid that the checkpoint's own image
processor gives. The processor's files travel with the checkpoint, so what a policy is trained on is what it is served.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, cast

from PIL import Image

Grid = tuple[int, int, int]
"""Frames, rows and columns of patches of one image, before merging."""


class EncodingError(ValueError):
    """Text and images that do not fit together; says what was got and expected."""


class Sized(Protocol):
    """Anything with a size in pixels: a PIL image, a MedicalImage."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


@dataclass(frozen=True)
class Span:
    """Where one image's placeholders stand in a list of ids: ids[start : start + length]."""

    start: int
    length: int
    grid: Grid


@dataclass(frozen=True)
class Pixels:
    """One image as the vision tower takes it."""

    values: Any
    """Tensor, float32, (frames * rows * columns, channels * 2 * patch * patch)."""
    grid: Grid


class Encoder:
    """Renders text and images for one checkpoint's tokenizer and image processor."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer: Any = processor.tokenizer
        self._image_pad = self._id("<|image_pad|>")
        self._merge: int = processor.image_processor.merge_size

    @classmethod
    def from_checkpoint(cls, folder: Path) -> "Encoder":
        """The encoder of the processor that lies in a checkpoint's folder. Raises EncodingError where there is none."""
        return cls(load_processor(folder))

    def _id(self, token: str) -> int:
        return int(self.tokenizer.convert_tokens_to_ids(token))

    @property
    def image_pad(self) -> int:
        """The id that stands for one merged patch of an image."""
        return self._image_pad

    @cached_property
    def end_of_turn(self) -> int:
        """The id that ends a turn."""
        return self._id("<|im_end|>")

    @cached_property
    def banned(self) -> tuple[int, ...]:
        """Ids that a policy must not sample: a stray vision token breaks every later forward pass."""
        names = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|im_start|>")
        return tuple(self._id(name) for name in names)

    def pixels(self, image: Image.Image) -> Pixels:
        """The image as the vision tower takes it."""
        out = self.processor.image_processor(images=[image.convert("RGB")], return_tensors="pt")
        frames, rows, columns = (int(value) for value in out["image_grid_thw"][0])
        return Pixels(out["pixel_values"], (frames, rows, columns))

    def placeholders(self, grid: Grid) -> int:
        """How many ids an image of this grid takes."""
        return grid[0] * grid[1] * grid[2] // self._merge**2

    def encode(self, text: str, grids: Sequence[Grid] = ()) -> tuple[list[int], list[Span]]:
        """Ids of `text` with each image's placeholder expanded by the grid of the same rank, and where they stand."""
        ids: list[int] = []
        spans: list[Span] = []
        for token in self.tokenizer(text, add_special_tokens=False)["input_ids"]:
            if token != self._image_pad:
                ids.append(token)
                continue
            if len(spans) == len(grids):
                raise EncodingError(f"Got more image placeholders in the text than the {len(grids)} images given.")
            span = Span(len(ids), self.placeholders(grids[len(spans)]), grids[len(spans)])
            spans.append(span)
            ids.extend([self._image_pad] * span.length)
        if len(spans) != len(grids):
            raise EncodingError(f"Got {len(grids)} images and {len(spans)} placeholders in the text; they must agree.")
        return ids, spans

    def grid(self, image: Sized) -> Grid:
        """The grid of patches that the image processor cuts an image of this size into; pixels are not touched.

        Raises EncodingError for an image that is too narrow for the processor.
        """
        from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

        processor = self.processor.image_processor
        least, most = processor.size["shortest_edge"], processor.size["longest_edge"]
        factor = processor.patch_size * self._merge
        try:
            rows, columns = smart_resize(image.height, image.width, factor, min_pixels=least, max_pixels=most)
        except ValueError as error:
            raise EncodingError(
                f"Got an image of {image.width} x {image.height} pixels, which the image processor refuses ({error}); "
                "give one that is less narrow."
            ) from error
        return 1, rows // processor.patch_size, columns // processor.patch_size

    def decode(self, ids: Sequence[int]) -> str:
        """The text of sampled ids, special tokens kept."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def decode_turn(self, ids: Sequence[int]) -> str:
        """The text of a sampled turn without the token that ends it."""
        ends = len(ids) > 0 and ids[-1] == self.end_of_turn
        return self.decode(ids[:-1] if ends else ids)


def load_processor(folder: Path) -> Any:
    """The processor that lies in a checkpoint's folder. Raises EncodingError where there is none."""
    from agent.serving.cpu import torchvision_operators

    torchvision_operators.prepare()  # a CUDA build of torchvision under a CPU torch; nothing on a GPU machine
    from transformers import AutoProcessor

    if not (folder / "preprocessor_config.json").exists() and not (folder / "processor_config.json").exists():
        raise EncodingError(f"Got {folder} without an image processor's files; publish the checkpoint with them.")
    load = cast(Callable[[Path], Any], AutoProcessor.from_pretrained)  # pyright: ignore[reportUnknownMemberType]
    return load(folder)
