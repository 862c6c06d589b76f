"""Text and images as ids: the only place where an agent tokenises.

A model reads an image as a run of one id, whose length follows from the grid that the checkpoint's own image processor
cuts the image into. In text, and in what engines take, one such token stands for the image; `encode` makes the run of
it. How images are cut is a matter of the kind of checkpoint, so the classes that can be used are the families of
agent/chat/families. The processor's files travel with the checkpoint: what a policy is trained on is what it is
served.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from PIL import Image

Grid = tuple[int, int, int]
"""How an image is cut: frames, rows and columns of patches before merging, or 1, tiles and placeholders of a tile."""
Inputs = Mapping[str, Any]
"""Tensors by name, as the model's forward pass takes them beside ids; those of several images join along dim 0."""


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


class Encoder(ABC):
    """Renders text and images for one checkpoint's tokenizer and image processor."""

    image_text: ClassVar[str]
    """An image in rendered text."""
    image_token: ClassVar[str]
    """The token in it whose run is the image."""
    frame: ClassVar[tuple[str, str]] = ("", "")
    """Tokens around the run that neither the text nor what engines take holds."""
    ends: ClassVar[tuple[str, ...]] = ("<|im_end|>",)
    """The token that ends a turn, and others at which a policy may stop."""
    reserved: ClassVar[tuple[str, ...]] = ()
    """Tokens that a policy must not sample."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer: Any = processor.tokenizer

    # images

    @abstractmethod
    def grid(self, image: Sized) -> Grid:
        """How the image processor cuts an image of this size; pixels are not touched.

        Raises EncodingError for an image that it refuses.
        """

    @abstractmethod
    def placeholders(self, grid: Grid) -> int:
        """How many ids an image of this grid takes."""

    @abstractmethod
    def mm_inputs(self, images: Sequence[Image.Image]) -> dict[str, Any]:
        """The images as the model takes them in training; as many pixels as engines see. Empty without images."""

    @abstractmethod
    def grid_of(self, inputs: Inputs) -> Grid:
        """The grid by the pixels themselves: of the one image that `mm_inputs` made these of.

        Raises EncodingError where its tensors disagree.
        """

    def forward_inputs(self, ids: Any, inputs: Inputs) -> dict[str, Any]:
        """All that the forward pass takes beside `ids` (rows, length); `inputs`: of all images of the rows."""
        del ids
        return dict(inputs)

    # ids

    def id(self, token: str) -> int:
        """The id of a token."""
        return int(self.tokenizer.convert_tokens_to_ids(token))

    @cached_property
    def image_pad(self) -> int:
        """The id whose run is an image."""
        return self.id(self.image_token)

    @cached_property
    def end_of_turn(self) -> int:
        """The id that ends a turn."""
        return self.id(self.ends[0])

    @cached_property
    def banned(self) -> tuple[int, ...]:
        """Ids that a policy must not sample: a stray vision token breaks every later forward pass."""
        return self._those_known(self.reserved)

    @cached_property
    def image_prompt(self) -> list[int]:
        """The shortest prompt with one image, as engines take it."""
        return list(self.tokenizer(self.image_text, add_special_tokens=False)["input_ids"])

    def encode(self, text: str, grids: Sequence[Grid] = ()) -> tuple[list[int], list[Span]]:
        """Ids of `text` with each image's placeholder expanded by the grid of the same rank, and where they stand."""
        ids: list[int] = []
        spans: list[Span] = []
        begin, end = self._frame
        for token in self._tokenised(text):
            if token != self.image_pad:
                ids.append(token)
                continue
            if len(spans) == len(grids):
                raise EncodingError(f"Got more image placeholders in the text than the {len(grids)} images given.")
            grid = grids[len(spans)]
            span = Span(len(ids) + len(begin), self.placeholders(grid), grid)
            spans.append(span)
            ids.extend([*begin, *[self.image_pad] * span.length, *end])
        if len(spans) != len(grids):
            raise EncodingError(f"Got {len(grids)} images and {len(spans)} placeholders in the text; they must agree.")
        return ids, spans

    def _tokenised(self, text: str) -> list[int]:
        """The tokenizer's ids, from its core where nothing is set there (padding, truncation) that another call asked
        for: what transformers puts around it takes longer than the core itself."""
        core = getattr(self.tokenizer, "backend_tokenizer", None)
        if core is None or core.padding is not None or core.truncation is not None:
            return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return core.encode(text, add_special_tokens=False).ids

    def prompt(self, ids: Sequence[int], spans: Sequence[Span]) -> list[int]:
        """Ids that `encode` gave as engines take them, which expand images themselves: one placeholder for each."""
        begin, end = self._frame
        collapsed: list[int] = []
        position = 0
        for span in spans:
            collapsed += [*ids[position : span.start - len(begin)], self.image_pad]
            position = span.start + span.length + len(end)
        return [*collapsed, *ids[position:]]

    @cached_property
    def _frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        begin, end = (tuple(self.id(token) for token in (name,) if token) for name in self.frame)
        return begin, end

    def decode(self, ids: Sequence[int]) -> str:
        """The text of sampled ids, special tokens kept."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=False)

    def decode_turn(self, ids: Sequence[int]) -> str:
        """The text of a sampled turn without the token that ends it."""
        return self.decode(ids[:-1] if len(ids) > 0 and ids[-1] in self._end_ids else ids)

    @cached_property
    def _end_ids(self) -> frozenset[int]:
        return frozenset(self._those_known(self.ends))

    def _those_known(self, tokens: Sequence[str]) -> tuple[int, ...]:
        known = self.tokenizer.get_vocab()
        return tuple(known[token] for token in tokens if token in known)


def joined(inputs: Sequence[Inputs]) -> dict[str, Any]:
    """The inputs of several images or rows as those of all of them."""
    import torch

    names = list(dict.fromkeys(name for each in inputs for name in each))
    return {name: torch.cat([each[name] for each in inputs if name in each]) for name in names}


def load_processor(folder: Path) -> Any:
    """The processor that lies in a checkpoint's folder. Raises EncodingError where there is none."""
    from agent.serving.cpu import torchvision_operators

    torchvision_operators.prepare()  # a CUDA build of torchvision under a CPU torch; nothing on a GPU machine
    from transformers import AutoProcessor

    if not (folder / "preprocessor_config.json").exists() and not (folder / "processor_config.json").exists():
        raise EncodingError(f"Got {folder} without an image processor's files; publish the checkpoint with them.")
    load = cast(Callable[[Path], Any], AutoProcessor.from_pretrained)  # pyright: ignore[reportUnknownMemberType]
    return load(folder)
