"""A version is one set of files for ever, complete or not there at all."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.serving.checkpoint import (
    MANIFEST,
    CheckpointError,
    hash_file,
    latest_checkpoint,
    load_checkpoint,
    publish,
    published_checkpoints,
)
from agent.serving.staging import LOCK

Folder = Callable[..., Path]


def test_manifest_names_parent_metrics_and_the_hash_of_each_file(tmp_path: Path, plain_folder: Folder) -> None:
    source = plain_folder(tmp_path / "source")
    checkpoint = publish(source, tmp_path / "versions", "step-10", "base", {"accuracy": 0.5})
    assert (checkpoint.version, checkpoint.parent, checkpoint.metrics) == ("step-10", "base", {"accuracy": 0.5})
    assert set(checkpoint.files) == {"config.json", "model.safetensors", "processor_config.json", "tokenizer.json"}
    assert checkpoint.files["model.safetensors"] == hash_file(source / "model.safetensors")
    assert load_checkpoint(tmp_path / "versions" / "step-10") == checkpoint


def test_files_are_read_only_copies(tmp_path: Path, plain_folder: Folder) -> None:
    source = plain_folder(tmp_path / "source")
    checkpoint = publish(source, tmp_path / "versions", "v1", None, {})
    weights = checkpoint.folder / "model.safetensors"
    assert [file.stat().st_mode & 0o222 for file in checkpoint.folder.iterdir()] == [0] * 5
    assert weights.stat().st_ino != (source / "model.safetensors").stat().st_ino
    shutil.rmtree(source)
    assert hash_file(weights) == checkpoint.files["model.safetensors"]


def test_a_version_is_never_used_again(tmp_path: Path, plain_folder: Folder) -> None:
    source = plain_folder(tmp_path / "source")
    first = publish(source, tmp_path / "versions", "v1", None, {})
    with pytest.raises(CheckpointError, match="never used again"):
        publish(source, tmp_path / "versions", "v1", None, {"accuracy": 1.0})
    assert load_checkpoint(first.folder) == first


@pytest.mark.parametrize("name", ["", "../v1", ".hidden", "a/b", "a b", "x" * 101])
def test_a_version_is_a_plain_name(tmp_path: Path, plain_folder: Folder, name: str) -> None:
    with pytest.raises(CheckpointError, match="expected at most 100 letters"):
        publish(plain_folder(tmp_path / "source"), tmp_path / "versions", name, None, {})


def test_all_but_the_weights_comes_from_the_base(tmp_path: Path, plain_folder: Folder) -> None:
    base, trained = plain_folder(tmp_path / "base"), plain_folder(tmp_path / "trained")
    (trained / "processor_config.json").unlink()
    (trained / "tokenizer.json").write_text('{"model": "the same in other words"}')
    (trained / "config.json").write_text('{"tie_word_embeddings": true}')
    (base / "model.safetensors").rename(base / "model-00001-of-00001.safetensors")
    with pytest.raises(CheckpointError, match=r"got no processor_config\.json or preprocessor_config\.json"):
        publish(trained, tmp_path / "versions", "v1", None, {})
    assert published_checkpoints(tmp_path / "versions") == []
    checkpoint = publish(trained, tmp_path / "versions", "v1", None, {}, settings_from=base)
    assert set(checkpoint.files) == {"config.json", "model.safetensors", "processor_config.json", "tokenizer.json"}
    assert checkpoint.files["tokenizer.json"] == hash_file(base / "tokenizer.json")
    assert "tie_word_embeddings" not in (checkpoint.folder / "config.json").read_text()


def test_text_architectures_are_set_where_missing(tmp_path: Path, plain_folder: Folder) -> None:
    source = plain_folder(tmp_path / "source")
    checkpoint = publish(source, tmp_path / "versions", "v1", None, {})
    config = json.loads((checkpoint.folder / "config.json").read_text())
    assert config["text_config"] == {"hidden_size": 3, "architectures": ["Qwen3ForCausalLM"]}
    assert "architectures" not in json.loads((source / "config.json").read_text())["text_config"]


def test_order_is_that_of_publishing(tmp_path: Path, plain_folder: Folder) -> None:
    source, versions = plain_folder(tmp_path / "source"), tmp_path / "versions"
    assert latest_checkpoint(versions) is None
    for name in ("z", "a", "step-10", "step-9"):
        publish(source, versions, name, None, {})
    (versions / ".step-11.unfinished").mkdir()
    assert [checkpoint.version for checkpoint in published_checkpoints(versions)] == ["z", "a", "step-10", "step-9"]
    newest = latest_checkpoint(versions)
    assert newest is not None
    assert newest.version == "step-9"


def test_a_failed_publication_leaves_nothing(
    tmp_path: Path, plain_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        publish(plain_folder(tmp_path / "source"), tmp_path / "versions", "v1", None, {})
    assert [path.name for path in (tmp_path / "versions").iterdir()] == [LOCK]


def test_a_folder_without_or_with_a_broken_manifest_is_refused(tmp_path: Path, plain_folder: Folder) -> None:
    source = plain_folder(tmp_path / "source")
    with pytest.raises(CheckpointError, match="publish it first"):
        load_checkpoint(source)
    (source / MANIFEST).write_text("[1, 2")
    with pytest.raises(CheckpointError, match="broken"):
        load_checkpoint(source)
