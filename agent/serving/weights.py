"""What a checkpoint's weights are, read from the safetensors headers, and whether they are whole and finite.

A header (https://huggingface.co/docs/safetensors) gives each tensor's name, type, shape and byte range; the ranges tile
the rest of the file exactly. So a truncated file is found from its size, without reading it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import from_json

from agent.serving.files import CheckpointError, read_object

INDEX = "model.safetensors.index.json"
HEADER_LIMIT = 16_000_000
"""Bytes; a tensor takes some 150 of them."""
FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
OTHERS = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
BYTES = FLOATS | OTHERS
"""Bytes of one element, by the format's name for its type."""


class _Entry(BaseModel):
    """A tensor in a header."""

    model_config = ConfigDict(strict=True)

    dtype: str
    shape: Annotated[list[Annotated[int, Field(ge=0, lt=2**48)]], Field(max_length=16)]
    data_offsets: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=2)]


_ENTRIES = TypeAdapter(dict[str, _Entry])


@dataclass(frozen=True)
class Tensor:
    """One tensor as a header describes it."""

    dtype: str
    shape: tuple[int, ...]
    file: str

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


def read_headers(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a folder's safetensors files, by name.

    Raises CheckpointError where a file is truncated, a tensor is twice, or the index names other tensors.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointError(f"got no *.safetensors in {folder}, expected the weights; publish the source again")
    tensors: dict[str, Tensor] = {}
    for file in files:
        for name, tensor in _read_header(file).items():
            if name in tensors:
                raise CheckpointError(f"got {name} in both {tensors[name].file} and {file.name}, expected it once")
            tensors[name] = tensor
    index = folder / INDEX
    if index.exists():
        mapped = read_object(index).get("weight_map")
        if mapped != {name: tensor.file for name, tensor in tensors.items()}:
            raise CheckpointError(f"got an {INDEX} in {folder} that the files' headers disagree with; save them again")
    return tensors


def find_not_finite(folder: Path, names: dict[str, Tensor]) -> list[str]:
    """The names of the floating-point tensors that hold a NaN or an infinity; reads every weight, one at a time.

    Raises CheckpointError where safetensors cannot read a file.
    """
    from safetensors import SafetensorError, safe_open
    from torch import Tensor as TorchTensor
    from torch import isfinite

    bad: list[str] = []
    for file in sorted({tensor.file for tensor in names.values()}):
        try:
            with safe_open(folder / file, framework="pt") as opened:  # pyright: ignore[reportUnknownVariableType]
                for name in (name for name, tensor in names.items() if tensor.file == file):
                    values = cast(TorchTensor, opened.get_tensor(name))  # pyright: ignore[reportUnknownMemberType]
                    if values.is_floating_point() and not bool(isfinite(values.float()).all()):
                        bad.append(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"got {folder / file}, which cannot be read ({error}); save them again") from error
    return bad


def _read_header(path: Path) -> dict[str, Tensor]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(size - 8, HEADER_LIMIT):
                raise CheckpointError(
                    f"got {path} of {size} bytes with a header of {length}, expected a whole file, and a header of at "
                    f"most {HEADER_LIMIT}; save the weights again"
                )
            text = file.read(length)
    except OSError as error:
        raise CheckpointError(f"got {path}, which cannot be read ({error}); save the weights again") from error
    try:
        header: object = from_json(text)
        if isinstance(header, dict):
            cast(dict[str, Any], header).pop("__metadata__", None)
        entries = _ENTRIES.validate_python(header)
    except ValueError as error:
        raise CheckpointError(f"got a broken header in {path} ({error}); save the weights again") from error
    end = _check_tiling(path, entries)
    if size != 8 + length + end:
        raise CheckpointError(
            f"got {path} of {size} bytes, expected {8 + length + end} by its header: it is truncated or has something "
            "appended; copy it again, once whoever writes it has finished"
        )
    return {name: Tensor(entry.dtype, tuple(entry.shape), path.name) for name, entry in entries.items()}


def _check_tiling(path: Path, entries: dict[str, _Entry]) -> int:
    """Where the last tensor ends, counted from the header's end; each must begin where the one before ended."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        begin, end = entry.data_offsets
        if entry.dtype not in BYTES:
            raise CheckpointError(
                f"got a broken header in {path}: {name} is {entry.dtype}, expected {', '.join(BYTES)}"
            )
        if begin != at or end - begin != math.prod(entry.shape) * BYTES[entry.dtype]:
            raise CheckpointError(f"got bytes {begin} to {end} for {name} in {path}, not what its shape and type take")
        at = end
    return at
