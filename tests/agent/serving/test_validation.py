"""Each way in which a checkpoint can be bad is found without a server, and named."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agent.serving.checkpoint import Checkpoint, CheckpointError, publish
from agent.serving.validation import validate
from agent.serving.weights import read_headers

Folder = Callable[..., Path]
HEAD, NORM = np.ones((2, 3), np.float32), np.zeros(3, np.float32)


@pytest.fixture
def served(tmp_path: Path, plain_folder: Folder) -> Checkpoint:
    """The checkpoint that a server would hold."""
    return publish(plain_folder(tmp_path / "base"), tmp_path / "versions", "base", None, {})


def _edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.chmod(0o644)
    path.write_bytes(change(path.read_bytes()))


def test_headers_give_names_shapes_and_types(served: Checkpoint) -> None:
    headers = read_headers(served.folder)
    assert {name: str(tensor) for name, tensor in headers.items()} == {"head": "F32[2, 3]", "norm": "F32[3]"}


def test_other_weights_of_the_same_model_pass(tmp_path: Path, plain_folder: Folder, served: Checkpoint) -> None:
    source = plain_folder(tmp_path / "new", head=HEAD * 2, norm=NORM + 1)
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "transformers_version": "9", "use_cache": False}))
    (source / "tokenizer.json").write_text(json.dumps({"padding": {"direction": "Left"}, "model": {"vocab": {"a": 0}}}))
    validate(publish(source, tmp_path / "versions", "new", "base", {}), served)


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"head": HEAD}, "norm is missing"),
        ({"head": HEAD, "norm": NORM, "more": NORM}, "more is not in the served model"),
        ({"head": HEAD.T.copy(), "norm": NORM}, r"head is F32\[3, 2\], served F32\[2, 3\]"),
        ({"head": HEAD.astype(np.float16), "norm": NORM}, r"head is F16\[2, 3\], served F32\[2, 3\]"),
        ({"head": HEAD, "norm": NORM * np.nan}, "NaN or infinity in norm"),
        ({"head": np.full_like(HEAD, np.inf), "norm": NORM}, "NaN or infinity in head"),
    ],
)
def test_weights_that_do_not_fit(
    tmp_path: Path,
    plain_folder: Folder,
    served: Checkpoint,
    tensors: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
    reason: str,
) -> None:
    new = publish(plain_folder(tmp_path / "new", **tensors), tmp_path / "versions", "new", "base", {})
    with pytest.raises(CheckpointError, match=reason):
        validate(new, served)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", {"text_config": {"hidden_size": 4}}, "text_config.hidden_size is 4, served 3"),
        ("config.json", {"architectures": ["Y"], "text_config": {"hidden_size": 3}}, "architectures is"),
        ("tokenizer.json", {"model": {"vocab": {"b": 0}}}, "differs from the served base in model"),
        ("processor_config.json", {"image_processor": {"patch_size": 16}}, "patch_size is 16, served 14"),
        ("processor_config.json", {}, "got no image processor"),
    ],
)
def test_settings_that_do_not_fit(
    tmp_path: Path, plain_folder: Folder, served: Checkpoint, file: str, content: dict[str, object], reason: str
) -> None:
    source = plain_folder(tmp_path / "new")
    before = json.loads((source / file).read_text()) if file == "config.json" else {}
    (source / file).write_text(json.dumps({**before, **content}))
    with pytest.raises(CheckpointError, match=reason):
        validate(publish(source, tmp_path / "versions", "new", "base", {}), served)


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("model.safetensors", lambda data: data[:-1], "truncated or has something appended"),
        ("model.safetensors", lambda data: data[:5], "expected a whole file"),
        ("model.safetensors", lambda data: data + b"0", "truncated or has something appended"),
        ("model.safetensors", lambda data: data[:-1] + b"\1", "with SHA-256"),
        ("model.safetensors", lambda data: data.replace(b"[2,3]", b"[2,4]"), "not what its shape and type take"),
        ("model.safetensors", lambda data: data.replace(b'"F32"', b'"F3x"'), "broken header"),
        ("tokenizer.json", lambda data: data + b" ", "with SHA-256"),
    ],
)
def test_a_checkpoint_that_changed_after_it_was_published(
    tmp_path: Path,
    plain_folder: Folder,
    served: Checkpoint,
    file: str,
    change: Callable[[bytes], bytes],
    reason: str,
) -> None:
    new = publish(plain_folder(tmp_path / "new"), tmp_path / "versions", "new", "base", {})
    _edit(new.folder / file, change)
    with pytest.raises(CheckpointError, match=reason):
        validate(new, served)


def test_a_missing_and_an_added_file(tmp_path: Path, plain_folder: Folder, served: Checkpoint) -> None:
    new = publish(plain_folder(tmp_path / "new"), tmp_path / "versions", "new", "base", {})
    (new.folder / "extra.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"got extra\.bin"):
        validate(new, served)
    (new.folder / "extra.bin").unlink()
    (new.folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"without model\.safetensors"):
        validate(new, served)


def test_an_index_must_agree_with_the_files(tmp_path: Path, plain_folder: Folder, served: Checkpoint) -> None:
    source = plain_folder(tmp_path / "new")
    index = {"weight_map": {"head": "model.safetensors", "norm": "other.safetensors"}}
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="headers disagree"):
        validate(publish(source, tmp_path / "versions", "new", "base", {}), served)
