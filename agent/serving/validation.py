"""Whether a checkpoint may be loaded into a running server: everything is checked before the server hears of it.

vLLM answers a failed reload with an error, calls itself healthy, and dies at the next request. So nothing is left for
it to find: the files are those of the manifest, the weights are whole, finite, and those of the served model in name,
shape and type, and what the server read once at its start (architecture, tokenizer, chat template, end tokens, image
processor) is the same. A version's name stands for one content: other weights under the live one's name are refused.

`check_contents` is the part that every load needs, a server's start too; it does not read the weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from agent.serving.checkpoint import Checkpoint, hash_file
from agent.serving.files import MANIFEST, CheckpointError, check_files, read_object, shortened
from agent.serving.weights import find_not_finite, read_headers

FREE_CONFIG_KEYS = frozenset(
    {"_name_or_path", "architectures", "attention_dropout", "bos_token_id", "dtype", "initializer_range"}
    | {"pad_token_id", "torch_dtype", "transformers_version", "use_cache"}
)
"""Keys of config.json that change nothing in how the model computes; the architecture itself is compared at the top."""
TOKENIZER_PARTS = ("model", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")
"""What decides which ids a text has; truncation and padding are a caller's settings."""
FREE_PROCESSOR_KEYS = frozenset({"processor_class", "image_processor_type", "video_processor", "transformers_version"})


def validate(checkpoint: Checkpoint, served: Checkpoint) -> None:
    """Check that `checkpoint` can replace `served` in a running server. Raises CheckpointError, with all of the reason.

    Reads every byte of the checkpoint (twice), never the server.
    """
    check_manifest(checkpoint)
    _check_name(checkpoint, served)
    _check_weights(checkpoint, served)
    _check_config(checkpoint, served)
    _check_tokenizer(checkpoint, served)
    _check_chat_template(checkpoint, served)
    _check_end_tokens(checkpoint, served)
    _check_image_processor(checkpoint, served)


def image_prompt(folder: Path) -> list[int]:
    """The shortest prompt with one picture, in ids, from a checkpoint's config.json. Raises CheckpointError."""
    config = read_object(folder / "config.json")
    prompt = [config.get(name) for name in ("vision_start_token_id", "image_token_id", "vision_end_token_id")]
    ids = [each for each in prompt if isinstance(each, int)]
    if len(ids) < len(prompt):
        raise CheckpointError(
            f"got {prompt} as the ids around and of a picture in {folder / 'config.json'}, expected three numbers to "
            "prove new weights with; start a server for this checkpoint instead of swapping"
        )
    return ids


def check_contents(checkpoint: Checkpoint) -> None:
    """Check all that every load needs: nothing in the folder could run, nothing is missing, truncated or added.

    Reads settings and headers, not the weights: milliseconds, however large they are. Raises CheckpointError.
    """
    folder, published = checkpoint.folder, bool(checkpoint.files)
    check_files(folder, published=published)
    if published:
        present = {path.name for path in folder.iterdir()} - {MANIFEST}
        if missing := sorted(checkpoint.files.keys() - present):
            raise CheckpointError(f"got {folder} without {shortened(missing)}, expected it whole; {_AGAIN}")
        if added := sorted(present - checkpoint.files.keys()):
            raise CheckpointError(f"got {shortened(added)} in {folder}, expected the manifest's files; {_AGAIN}")
        for name in checkpoint.files:
            if not name.endswith(".safetensors"):
                _check_hash(checkpoint, name)
    read_object(folder / "config.json")
    read_headers(folder)  # says 'truncated' where a hash could only say 'different'


def check_manifest(checkpoint: Checkpoint) -> None:
    """Check that the folder holds exactly the files of its manifest, byte for byte. Raises CheckpointError."""
    if not checkpoint.files:
        raise CheckpointError(f"got {checkpoint.folder} without a {MANIFEST}, expected a version; publish it first")
    check_contents(checkpoint)
    for name in checkpoint.files:
        if name.endswith(".safetensors"):
            _check_hash(checkpoint, name)


_AGAIN = "publish it again under a new version"


def _check_hash(checkpoint: Checkpoint, name: str) -> None:
    path, expected = checkpoint.folder / name, checkpoint.files[name]
    if (got := hash_file(path)) != expected:
        raise CheckpointError(f"got {path} with SHA-256 {got[:12]}, expected {expected[:12]} by the manifest; {_AGAIN}")


def _check_name(checkpoint: Checkpoint, served: Checkpoint) -> None:
    if checkpoint.version != served.version:
        return
    live = served.files or {path.name: hash_file(path) for path in served.folder.iterdir() if path.is_file()}
    if different := sorted(name for name, hashed in checkpoint.files.items() if live.get(name) != hashed):
        raise CheckpointError(
            f"got another content ({shortened(different)}) in {checkpoint.folder} under the name of the served version "
            f"{served.version}, expected one content for one name, or its answers could not be told apart; {_AGAIN}"
        )


def _check_weights(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = read_headers(checkpoint.folder), read_headers(served.folder)
    reasons = [f"{name} is missing" for name in sorted(theirs.keys() - ours.keys())]
    reasons += [f"{name} is not in the served model" for name in sorted(ours.keys() - theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        got, expected = ours[name], theirs[name]
        if (got.dtype, got.shape) != (expected.dtype, expected.shape):
            reasons.append(f"{name} is {got}, served {expected}")
    if reasons:
        raise CheckpointError(
            f"got weights of {checkpoint.version} that do not fit the served {served.version}: {shortened(reasons)}; "
            "train from the served checkpoint and save in its dtype, or start a server for this one"
        )
    if bad := find_not_finite(checkpoint.folder, ours):
        raise CheckpointError(
            f"got NaN or infinity in {shortened(bad)} of {checkpoint.version}, expected finite weights; the training "
            "diverged: go back to an earlier checkpoint and lower the learning rate"
        )


def _check_config(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = read_object(checkpoint.folder / "config.json"), read_object(served.folder / "config.json")
    reasons: list[str] = []
    if ours.get("architectures") != theirs.get("architectures"):
        reasons.append(f"architectures is {ours.get('architectures')}, served {theirs.get('architectures')}")
    reasons += _differences(ours, theirs, FREE_CONFIG_KEYS)
    if reasons:
        raise CheckpointError(
            f"got a config.json of {checkpoint.version} that is another model than the served {served.version}: "
            f"{shortened(reasons)}; start a server for it instead of swapping"
        )


def _check_tokenizer(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = read_object(checkpoint.folder / "tokenizer.json"), read_object(served.folder / "tokenizer.json")
    if different := [part for part in TOKENIZER_PARTS if ours.get(part) != theirs.get(part)]:
        raise CheckpointError(
            f"got a tokenizer of {checkpoint.version} that differs from the served {served.version} in "
            f"{', '.join(different)}, expected the same ids for the same text; publish with the served tokenizer.json"
        )


def _check_chat_template(checkpoint: Checkpoint, served: Checkpoint) -> None:
    if _chat_template(checkpoint.folder) != _chat_template(served.folder):
        raise CheckpointError(
            f"got a chat template of {checkpoint.version} that differs from the served {served.version}, expected the "
            "same text for the same messages; publish with the served chat_template.jinja, or start a server for it"
        )


def _chat_template(folder: Path) -> object:
    """The template by the first of the places where there may be one; None where there is none."""
    plain = folder / "chat_template.jinja"
    if plain.is_file():
        return plain.read_bytes().decode(errors="replace").strip()
    for name in ("chat_template.json", "tokenizer_config.json"):
        if (folder / name).exists() and (template := read_object(folder / name).get("chat_template")) is not None:
            return template.strip() if isinstance(template, str) else template
    return None


def _check_end_tokens(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = _end_tokens(checkpoint.folder), _end_tokens(served.folder)
    if ours != theirs:
        raise CheckpointError(
            f"got a checkpoint {checkpoint.version} whose answers end with {ours}, served {theirs} by "
            f"{served.version}; publish with the served generation_config.json and tokenizer_config.json"
        )


def _end_tokens(folder: Path) -> dict[str, object]:
    """What ends an answer: ids by generation_config.json (else config.json), and the tokenizer's own token."""
    ids = _setting(folder, "eos_token_id", "generation_config.json", "config.json")
    token = _setting(folder, "eos_token", "tokenizer_config.json", "special_tokens_map.json")
    content = cast(dict[str, Any], token).get("content") if isinstance(token, dict) else token
    listed = cast(list[object], ids) if isinstance(ids, list) else [ids]
    return {"ids": sorted(set(map(repr, listed))), "token": content}


def _setting(folder: Path, key: str, *names: str) -> object:
    """The first value of `key` in these files of a folder; None where none has it."""
    found = (read_object(folder / name).get(key) for name in names if (folder / name).exists())
    return next((value for value in found if value is not None), None)


def _check_image_processor(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = _image_processor(checkpoint.folder), _image_processor(served.folder)
    if reasons := _differences(ours, theirs, FREE_PROCESSOR_KEYS):
        raise CheckpointError(
            f"got an image processor of {checkpoint.version} that differs from the served {served.version}: "
            f"{shortened(reasons)}; publish with processor_from=the served folder"
        )


def _image_processor(folder: Path) -> dict[str, Any]:
    """The image processor's settings: a file of its own, or a part of processor_config.json (transformers 5)."""
    own = folder / "preprocessor_config.json"
    if own.is_file():
        return read_object(own)
    both = folder / "processor_config.json"
    settings = read_object(both).get("image_processor") if both.is_file() else None
    if not isinstance(settings, dict):
        raise CheckpointError(f"got no image processor in {folder}, expected its settings; publish with processor_from")
    return cast(dict[str, Any], settings)


def _differences(ours: dict[str, Any], theirs: dict[str, Any], free: frozenset[str], under: str = "") -> list[str]:
    found: list[str] = []
    for key in sorted((ours.keys() | theirs.keys()) - free):
        got, expected = ours.get(key), theirs.get(key)
        if isinstance(got, dict) and isinstance(expected, dict):
            found += _differences(cast(dict[str, Any], got), cast(dict[str, Any], expected), free, f"{under}{key}.")
        elif got != expected:
            found.append(f"{under}{key} is {got}, served {expected}")
    return found
