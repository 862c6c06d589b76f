"""Images that a processor writes as a frame: a token that begins, one placeholder per patch, a token that ends.

InternVL and Gemma do. In a text one marker stands for the image; the frame, and whatever white space belongs to it,
takes its place before the text becomes ids, because it may change how the text beside it is cut into tokens.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from agent.chat_model.families.family import Tokens
from agent.encoder import Encoder, EncodingError, Grid, Sized, Span


class FramedEncoder(Encoder):
    """An encoder of such a processor; a grid is (1, tiles, placeholders a tile)."""

    def __init__(self, processor: Any, pad: str, end: str, banned: Sequence[str]) -> None:
        self.processor = processor
        self.tokenizer: Any = processor.tokenizer
        self._image_pad = self._id(pad)
        self._end = self._id(end)
        self._banned = tuple(self._id(name) for name in banned)

    @property
    def end_of_turn(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The id that ends a turn."""
        return self._end

    @property
    def banned(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Ids that a policy must not sample."""
        return self._banned

    def tiles(self, image: Sized) -> int:
        """How many tiles an image is cut into."""
        del image
        return 1

    def grid(self, image: Sized) -> Grid:
        """(1, tiles, placeholders a tile)."""
        return 1, self.tiles(image), int(self.processor.image_seq_length)

    def placeholders(self, grid: Grid) -> int:
        """How many placeholders an image of this grid takes."""
        return grid[0] * grid[1] * grid[2]

    def framed(self, text: str, marker: str, frames: Sequence[str], grids: Sequence[Grid]) -> Tokens:
        """The ids of `text`, in which each `marker` stands for the frame of the same rank. Raises EncodingError."""
        pieces = text.split(marker)
        if len(pieces) != len(frames) + 1:
            raise EncodingError(f"Got {len(frames)} images and {len(pieces) - 1} markers in the text; they must agree.")
        whole = pieces[0] + "".join(frame + piece for frame, piece in zip(frames, pieces[1:], strict=True))
        ids, prompt = self._ids(whole), self._ids(text)
        spans: list[Span] = []
        position = 0
        for is_pad, run in groupby(ids, self._image_pad.__eq__):
            length = len(list(run))
            if is_pad:
                spans.append(Span(position, length, grids[len(spans)]))
            position += length
        if [span.length for span in spans] != [self.placeholders(grid) for grid in grids]:
            raise EncodingError(f"Got runs of {[span.length for span in spans]} placeholders for grids {grids}.")
        return Tokens(ids, prompt, tuple(spans))

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
