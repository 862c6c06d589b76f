"""A folder is told to be whole; an output layer that the base does not have is left out, everything else stays."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from rl.training.trainers.openrlhf.saved_checkpoint import as_transformers_saves, is_whole

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


def saved(folder: Path, *shards: str) -> Path:
    """A folder as OpenRLHF leaves it when it has finished."""
    folder.mkdir(parents=True)
    for shard in shards or ("model.safetensors",):
        save_arrays({"head": np.ones((40, 30), np.float32), "norm": np.zeros(3, np.float32)}, folder / shard)
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):  # in this order
        (folder / name).write_text(json.dumps({"of": name, "vocabulary": {f"word{n}": n for n in range(99)}}))
    return folder


def test_a_finished_folder_is_whole(tmp_path: Path) -> None:
    assert is_whole(saved(tmp_path / "one"))
    assert is_whole(saved(tmp_path / "two", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.999])
def test_weights_that_are_still_being_written_are_not_whole(tmp_path: Path, share: float) -> None:
    folder = saved(tmp_path / "cut", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    weights = (folder / "model-00002-of-00002.safetensors").read_bytes()
    (folder / "model-00002-of-00002.safetensors").write_bytes(weights[: int(share * len(weights))])
    assert not is_whole(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_of_json_that_is_still_being_written_is_not_whole(tmp_path: Path, name: str, share: float) -> None:
    folder = saved(tmp_path / "cut")
    text = (folder / name).read_bytes()
    (folder / name).write_bytes(text[: int(share * len(text))])
    assert not is_whole(folder)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_not_whole(tmp_path: Path, missing: str) -> None:
    (saved(tmp_path / "lacking") / missing).unlink()
    assert not is_whole(tmp_path / "lacking")


def test_a_shard_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    folder = saved(tmp_path / "two", "model-00001-of-00002.safetensors")
    shards = {"head": "model-00001-of-00002.safetensors", "norm": "model-00002-of-00002.safetensors"}
    (folder / INDEX).write_text(json.dumps({"weight_map": shards}))
    assert not is_whole(folder)
    (folder / INDEX).write_text('{"weight_map": {"head": ')
    assert not is_whole(folder)
    (folder / INDEX).write_text(json.dumps({"weight_map": {"head": shards["head"]}}))
    assert is_whole(folder)


def test_a_folder_that_is_not_there_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path / "none")
