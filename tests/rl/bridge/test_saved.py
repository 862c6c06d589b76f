"""A tied output layer is left out of what OpenRLHF saved; everything else stays as it is."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from rl.bridge.saved import INDEX, as_transformers_saves


def write(folder: Path, tied: bool) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"tie_word_embeddings": tied}))
    embedding = torch.arange(6.0).reshape(2, 3)
    save_file({"embed": embedding, "lm_head.weight": embedding.clone()}, folder / "model.safetensors")
    (folder / INDEX).write_text(json.dumps({"weight_map": {"embed": "a", "lm_head.weight": "a"}}))
    return folder


def test_a_tied_head_is_left_out_of_weights_and_index(tmp_path: Path) -> None:
    saved = as_transformers_saves(write(tmp_path / "saved", tied=True), tmp_path / "out")
    assert saved == tmp_path / "out"
    assert load_file(saved / "model.safetensors")["embed"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert list(load_file(saved / "model.safetensors")) == ["embed"]
    assert json.loads((saved / INDEX).read_text())["weight_map"] == {"embed": "a"}
    assert "lm_head.weight" in load_file(tmp_path / "saved" / "model.safetensors")


def test_an_untied_head_stays(tmp_path: Path) -> None:
    saved = write(tmp_path / "saved", tied=False)
    assert as_transformers_saves(saved, tmp_path / "out") == saved
