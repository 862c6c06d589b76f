"""A folder is told to be whole; an output layer that the base does not have is left out, everything else stays."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rl.training.trainers.openrlhf.tied_weights import as_transformers_saves

INDEX = "model.safetensors.index.json"


def write(folder: Path, *names: str) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"tie_word_embeddings": True}))
    save_file({name: torch.arange(6.0).reshape(2, 3) for name in names}, folder / "model.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(names, "model.safetensors")}))
    return folder


@pytest.mark.parametrize("head", ["lm_head.weight", "language_model.lm_head.weight"])
def test_a_head_that_the_base_does_not_have_is_left_out_of_weights_and_index(tmp_path: Path, head: str) -> None:
    base, saved = write(tmp_path / "base", "embed"), write(tmp_path / "saved", "embed", head)
    published = as_transformers_saves(saved, base, tmp_path / "out")
    assert published == tmp_path / "out"
    assert load_file(published / "model.safetensors")["embed"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert list(load_file(published / "model.safetensors")) == ["embed"]
    assert json.loads((published / INDEX).read_text())["weight_map"] == {"embed": "model.safetensors"}
    assert head in load_file(saved / "model.safetensors")
    assert as_transformers_saves(published, base, tmp_path / "again") == published


@pytest.mark.parametrize("head", ["lm_head.weight", "language_model.lm_head.weight"])
def test_a_head_that_the_base_has_stays_whatever_the_config_says(tmp_path: Path, head: str) -> None:
    base, saved = (write(tmp_path / name, "embed", head) for name in ("base", "saved"))
    assert as_transformers_saves(saved, base, tmp_path / "out") == saved
