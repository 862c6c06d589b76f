"""What OpenRLHF saves: whether it is whole, and made what transformers would have saved.

A folder is whole when what is written last is there. Where a model ties its output layer to its embedding, OpenRLHF
0.11.2 writes the same weights under both names; transformers writes one, and a server that was started from such a
checkpoint knows no other. The second name is left out here.
"""

import json
import shutil
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError, safe_open

HEAD = "lm_head.weight"
INDEX = "model.safetensors.index.json"


def is_whole(folder: Path) -> bool:
    """Whether OpenRLHF has finished writing a saved folder: its tokenizer comes last, its weights open."""
    index = folder / INDEX
    weights = sorted(folder.glob("*.safetensors"))
    if not weights or not (folder / "tokenizer_config.json").exists():
        return False
    try:
        if index.exists():  # a large model's weights lie in several files
            named = {folder / str(name) for name in json.loads(index.read_text())["weight_map"].values()}
            weights = sorted({*weights, *named})
        for path in weights:
            with cast(Any, safe_open)(path, framework="numpy") as opened:
                list(opened.keys())
    except (SafetensorError, OSError, json.JSONDecodeError):
        return False
    return True


def as_transformers_saves(folder: Path, out: Path) -> Path:
    """`folder` itself where nothing is tied; else a copy in `out` without the tied output layer."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if not config.get("tie_word_embeddings"):
        return folder
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder, out)
    for path in out.glob("*.safetensors"):
        _leave_out_head(path)
    index = out / INDEX
    if index.exists():
        names: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        names["weight_map"].pop(HEAD, None)
        index.write_text(json.dumps(names), encoding="utf-8")
    return out


def _leave_out_head(path: Path) -> None:
    from safetensors import torch as safetensors

    files: Any = safetensors
    tensors = files.load_file(path)
    if tensors.pop(HEAD, None) is not None:
        files.save_file(tensors, path, metadata={"format": "pt"})
