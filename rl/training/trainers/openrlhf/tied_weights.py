"""What OpenRLHF saves, made what transformers would have saved.

Where a model ties its output layer to its embedding, OpenRLHF 0.11.2 writes the same weights under both names;
transformers writes one, and a server that was started from such a checkpoint knows no other. The second name is left
out here. What is tied is told by the weights that training began with, not by the config: InternVL's says so at the top
whether or not the checkpoint has an output layer of its own, and transformers and vLLM then go by the weights too.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from agent.serving.weights import read_headers
from rl.training.whole_files import INDEX

HEAD = "lm_head.weight"
"""How the name of every output layer ends: InternVL's is `language_model.lm_head.weight`."""


def as_transformers_saves(folder: Path, base: Path, out: Path) -> Path:
    """`folder` itself where `base`, from which it was trained, has an output layer; else a copy in `out` without it.

    Raises CheckpointError where the weights of either can't be read.
    """
    heads = {name: tensor.file for name, tensor in read_headers(folder).items() if name.endswith(HEAD)}
    if not heads or any(name.endswith(HEAD) for name in read_headers(base)):
        return folder
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder, out)
    for name, file in heads.items():
        _leave_out(name, out / file)
    index = out / INDEX
    if index.exists():
        names: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        names["weight_map"] = {name: file for name, file in names["weight_map"].items() if name not in heads}
        index.write_text(json.dumps(names), encoding="utf-8")
    return out


def _leave_out(name: str, path: Path) -> None:
    from safetensors import torch as safetensors

    files: Any = safetensors
    tensors = files.load_file(path)
    del tensors[name]
    files.save_file(tensors, path, metadata={"format": "pt"})
