"""Whether a checkpoint that another process writes is finished."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rl.training.whole_files import INDEX, whole_checkpoint


def saved(folder: Path, *shards: str) -> Path:
    """A folder as OpenRLHF leaves it when it has finished."""
    folder.mkdir(parents=True)
    for shard in shards or ("model.safetensors",):
        save_file({"head": np.ones((40, 30), np.float32), "norm": np.zeros(3, np.float32)}, folder / shard)
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):  # in this order
        (folder / name).write_text(json.dumps({"of": name, "vocabulary": {f"word{n}": n for n in range(99)}}))
    return folder


def test_a_finished_folder_whole_checkpoint(tmp_path: Path) -> None:
    assert whole_checkpoint(saved(tmp_path / "one"))
    assert whole_checkpoint(
        saved(tmp_path / "two", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    )


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.999])
def test_weights_that_are_still_being_written_are_not_whole(tmp_path: Path, share: float) -> None:
    folder = saved(tmp_path / "cut", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    weights = (folder / "model-00002-of-00002.safetensors").read_bytes()
    (folder / "model-00002-of-00002.safetensors").write_bytes(weights[: int(share * len(weights))])
    assert not whole_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_of_json_that_is_still_being_written_is_not_whole(tmp_path: Path, name: str, share: float) -> None:
    folder = saved(tmp_path / "cut")
    text = (folder / name).read_bytes()
    (folder / name).write_bytes(text[: int(share * len(text))])
    assert not whole_checkpoint(folder)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_not_whole(tmp_path: Path, missing: str) -> None:
    (saved(tmp_path / "lacking") / missing).unlink()
    assert not whole_checkpoint(tmp_path / "lacking")


def test_a_shard_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    folder = saved(tmp_path / "two", "model-00001-of-00002.safetensors")
    shards = {"head": "model-00001-of-00002.safetensors", "norm": "model-00002-of-00002.safetensors"}
    (folder / INDEX).write_text(json.dumps({"weight_map": shards}))
    assert not whole_checkpoint(folder)
    (folder / INDEX).write_text('{"weight_map": {"head": ')
    assert not whole_checkpoint(folder)
    (folder / INDEX).write_text(json.dumps({"weight_map": {"head": shards["head"]}}))
    assert whole_checkpoint(folder)


def test_a_folder_that_is_not_there_is_not_whole(tmp_path: Path) -> None:
    assert not whole_checkpoint(tmp_path / "none")
