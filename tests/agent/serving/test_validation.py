"""Each way in which a checkpoint can be bad is found without a server, and named."""

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from agent.serving.checkpoint import Checkpoint, hash_file, load_checkpoint, publish
from agent.serving.files import MANIFEST, CheckpointError
from agent.serving.validation import check_contents, image_prompt, validate
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


_NEGATIVE = b'{"head":{"dtype":"F32","shape":[-2,-3],"data_offsets":[0,24]}}'


def _with_header(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


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
        ("chat_template.json", {"chat_template": "{{ other }}"}, "a chat template of new that differs"),
        ("tokenizer_config.json", {"chat_template": "{{ other }}"}, "a chat template of new that differs"),
        (
            "processor_config.json",
            {"image_processor": {"patch_size": 14}, "chat_template": "x"},
            "a chat template of new",
        ),
        ("tokenizer_config.json", {"add_bos_token": True}, "differs from the served base in add_bos_token"),
        ("generation_config.json", {"eos_token_id": [1, 2]}, "answers end with"),
        ("generation_config.json", {"eos_token_id": [[]]}, "answers end with"),
        ("tokenizer_config.json", {"eos_token": {"content": "<other>"}}, "answers end with"),
        ("special_tokens_map.json", {"eos_token": "<other>"}, "answers end with"),
        ("config.json", {"auto_map": {"AutoModel": "code.Model"}}, "got code named in"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": "code.Tokenizer"}}, "got code named in"),
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
        ("model.safetensors", lambda _: _with_header(b'{"a":' * 500_000), "broken header"),
        ("model.safetensors", lambda _: _with_header(b"[" * 500_000), "broken header"),
        ("model.safetensors", lambda _: _with_header(b" " * 20_000_000), "header of 20000000"),
        ("model.safetensors", lambda _: _with_header(b'"header"'), "broken header"),
        ("model.safetensors", lambda _: _with_header(_NEGATIVE) + bytes(24), "broken header"),
        ("model.safetensors", lambda data: data.replace(b"[2,3]", b"[[3]]"), "broken header"),
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


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "[1, 2]"),
        ("config.json", "[" * 500_000),
        ("config.json", '{"a": ' * 500_000),
        ("tokenizer.json", "[]"),
        ("tokenizer.json", "null"),
        ("processor_config.json", '"text"'),
        ("generation_config.json", "[" * 500_000),
        ("model.safetensors.index.json", "{}"),
        ("model.safetensors.index.json", "[" * 500_000),
    ],
)
def test_settings_that_are_no_object(
    tmp_path: Path, plain_folder: Folder, served: Checkpoint, file: str, content: str
) -> None:
    new = publish(plain_folder(tmp_path / "new"), tmp_path / "versions", "new", "base", {})
    (new.folder / file).unlink(missing_ok=True)
    (new.folder / file).write_text(content)
    with pytest.raises(CheckpointError, match=re.escape(file) if file != "model.safetensors.index.json" else "index"):
        validate(_sealed(new), served)


def _sealed(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with a manifest of the files that lie there now, as somebody would forge it."""
    hashes = {path.name: hash_file(path) for path in checkpoint.folder.iterdir() if path.name != MANIFEST}
    forged = checkpoint.model_copy(update={"files": hashes})
    (checkpoint.folder / MANIFEST).chmod(0o644)
    (checkpoint.folder / MANIFEST).write_text(forged.model_dump_json(exclude={"folder"}))
    return load_checkpoint(checkpoint.folder)


@pytest.mark.parametrize("name", ["modeling.py", "pytorch_model.bin", "training_args.bin", "a.pkl", "notes.txt"])
def test_a_version_holds_neither_code_nor_pickles_nor_anything_else(
    tmp_path: Path, plain_folder: Folder, served: Checkpoint, name: str
) -> None:
    new = publish(plain_folder(tmp_path / "new"), tmp_path / "versions", "new", "base", {})
    (new.folder / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=f"got {re.escape(name)} in .* neither code nor pickles"):
        validate(_sealed(new), served)


def test_a_file_that_never_ends_is_not_read(tmp_path: Path, plain_folder: Folder, served: Checkpoint) -> None:
    new = publish(plain_folder(tmp_path / "new"), tmp_path / "versions", "new", "base", {})
    (new.folder / "tokenizer.json").unlink()
    os.mkfifo(new.folder / "tokenizer.json")
    with pytest.raises(CheckpointError, match=r"got tokenizer\.json in"):
        validate(new, served)


def test_one_name_has_one_content(tmp_path: Path, plain_folder: Folder, served: Checkpoint) -> None:
    other = publish(
        plain_folder(tmp_path / "other", head=HEAD * 2, norm=NORM), tmp_path / "elsewhere", "base", None, {}
    )
    with pytest.raises(CheckpointError, match=r"got another content \(model.safetensors\) .* the served version base"):
        validate(other, served)
    copied = publish(tmp_path / "base", tmp_path / "copies", "base", None, {})
    validate(copied, served)


def test_a_plain_folder_is_checked_for_what_could_run(tmp_path: Path, plain_folder: Folder) -> None:
    folder = plain_folder(tmp_path / "hub")
    (folder / "README.md").write_text("A model.")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "download.lock").write_text("")
    plain = Checkpoint(version="hub", parent=None, created=datetime.now(UTC), files={}, metrics={}, folder=folder)
    check_contents(plain)
    (folder / "original").mkdir()
    (folder / "original" / "consolidated.00.pth").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"got original/consolidated.00.pth in"):
        check_contents(plain)


def test_new_weights_are_proved_with_a_picture_as_the_family_writes_it(tiny_folders: dict[str, Path]) -> None:
    assert image_prompt(tiny_folders["a"]) == [3, 5, 4]  # vision_start, image_pad, vision_end in conftest.SPECIAL


def test_a_model_that_cannot_be_probed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"gives no prompt with a picture .*without an image processor"):
        image_prompt(tmp_path)
