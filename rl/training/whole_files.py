"""Whether what a trainer wrote is whole. A file that a kill or a full disk cut is told by its own format.

JSON that was cut does not parse; safetensors say in their header how long they are; what `torch.save` writes is a ZIP
archive, whose directory comes last.
"""

import json
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError, safe_open

INDEX = "model.safetensors.index.json"
ARCHIVES = (".pt", ".pth", ".bin")


def whole_file(path: Path) -> bool:
    """Whether the file is there to its end; for a format that does not tell, whether it is there."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".safetensors":
            tensors_in(path)
        elif path.suffix in ARCHIVES:
            return zipfile.is_zipfile(path)
    except (OSError, ValueError, SafetensorError):  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        return False
    return path.is_file()


def whole_folder(folder: Path, *needed: str) -> bool:
    """Whether the files that are `needed` lie in the folder, and every file in it or below is whole."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return all((folder / name).is_file() for name in needed) and all(map(whole_file, files))


def has_weights(folder: Path) -> bool:
    """Whether the folder holds safetensors, and of a large model all tensors that its index names; whole as they are.

    Call it where the folder is whole by `whole_folder`.
    """
    if not (folder / INDEX).exists():
        return any(folder.glob("*.safetensors"))
    named: dict[str, str] = json.loads((folder / INDEX).read_bytes())["weight_map"]
    held = {name: tensors_in(folder / name) for name in set(named.values()) if (folder / name).exists()}
    return bool(named) and all(tensor in held.get(file, ()) for tensor, file in named.items())


def whole_checkpoint(folder: Path) -> bool:
    """Whether a Hugging Face folder was written to its end: all is there, up to the tokenizer, which comes last."""
    return whole_folder(folder, "config.json", "tokenizer_config.json", "tokenizer.json") and has_weights(folder)


def tensors_in(path: Path) -> Collection[str]:
    """The names of a safetensors file's tensors. Raises SafetensorError where it is shorter than its header says."""
    with cast(Any, safe_open)(path, framework="numpy") as opened:
        return frozenset(opened.keys())
