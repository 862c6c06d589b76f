"""Whether a checkpoint may be loaded into a running server: everything is checked before the server hears of it.

vLLM answers a failed reload with an error, calls itself healthy, and dies at the next request. So nothing is left for
it to find: the files are those of the manifest, the weights are whole, finite, and those of the served model in name,
shape and type, and what the server read once at its start (architecture, tokenizer, image processor) is the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from agent.serving.checkpoint import MANIFEST, Checkpoint, CheckpointError, hash_file
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
    _check_weights(checkpoint, served)
    _check_config(checkpoint, served)
    _check_tokenizer(checkpoint, served)
    _check_image_processor(checkpoint, served)


def image_prompt(folder: Path) -> list[int]:
    """The shortest prompt with one picture, in ids, from a checkpoint's config.json."""
    config = _json(folder / "config.json")
    return [config["vision_start_token_id"], config["image_token_id"], config["vision_end_token_id"]]


def check_manifest(checkpoint: Checkpoint) -> None:
    """Check that the folder holds exactly the files of its manifest, byte for byte."""
    present = {path.name for path in checkpoint.folder.glob("*")} - {MANIFEST}
    if missing := sorted(checkpoint.files.keys() - present):
        raise CheckpointError(f"got {checkpoint.folder} without {', '.join(missing)}, expected it whole; {_AGAIN}")
    if added := sorted(present - checkpoint.files.keys()):
        raise CheckpointError(f"got {', '.join(added)} in {checkpoint.folder}, expected the manifest's files; {_AGAIN}")
    for name, expected in checkpoint.files.items():
        path = checkpoint.folder / name
        if path.suffix == ".safetensors":
            continue
        _check_hash(path, expected)
    read_headers(checkpoint.folder)  # says 'truncated' where a hash could only say 'different'
    for name, expected in checkpoint.files.items():
        if name.endswith(".safetensors"):
            _check_hash(checkpoint.folder / name, expected)


_AGAIN = "publish it again under a new version"


def _check_hash(path: Path, expected: str) -> None:
    if (got := hash_file(path)) != expected:
        raise CheckpointError(f"got {path} with SHA-256 {got[:12]}, expected {expected[:12]} by the manifest; {_AGAIN}")


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
            f"got weights of {checkpoint.version} that do not fit the served {served.version}: {_shortened(reasons)}; "
            "train from the served checkpoint and save in its dtype, or start a server for this one"
        )
    if bad := find_not_finite(checkpoint.folder, ours):
        raise CheckpointError(
            f"got NaN or infinity in {_shortened(bad)} of {checkpoint.version}, expected finite weights; the training "
            "diverged: go back to an earlier checkpoint and lower the learning rate"
        )


def _check_config(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = _json(checkpoint.folder / "config.json"), _json(served.folder / "config.json")
    reasons: list[str] = []
    if ours.get("architectures") != theirs.get("architectures"):
        reasons.append(f"architectures is {ours.get('architectures')}, served {theirs.get('architectures')}")
    reasons += _differences(ours, theirs, FREE_CONFIG_KEYS)
    if reasons:
        raise CheckpointError(
            f"got a config.json of {checkpoint.version} that is another model than the served {served.version}: "
            f"{_shortened(reasons)}; start a server for it instead of swapping"
        )


def _check_tokenizer(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = _json(checkpoint.folder / "tokenizer.json"), _json(served.folder / "tokenizer.json")
    if different := [part for part in TOKENIZER_PARTS if ours.get(part) != theirs.get(part)]:
        raise CheckpointError(
            f"got a tokenizer of {checkpoint.version} that differs from the served {served.version} in "
            f"{', '.join(different)}, expected the same ids for the same text; publish with the served tokenizer.json"
        )


def _check_image_processor(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = _image_processor(checkpoint.folder), _image_processor(served.folder)
    if reasons := _differences(ours, theirs, FREE_PROCESSOR_KEYS):
        raise CheckpointError(
            f"got an image processor of {checkpoint.version} that differs from the served {served.version}: "
            f"{_shortened(reasons)}; publish with processor_from=the served folder"
        )


def _image_processor(folder: Path) -> dict[str, Any]:
    """The image processor's settings: a file of its own, or a part of processor_config.json (transformers 5)."""
    own = folder / "preprocessor_config.json"
    if own.is_file():
        return _json(own)
    both = folder / "processor_config.json"
    settings = _json(both).get("image_processor") if both.is_file() else None
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


def _json(path: Path) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError) as error:
        raise CheckpointError(f"got {path} missing or not JSON ({error}), expected it; {_AGAIN}") from error


def _shortened(reasons: list[str], shown: int = 5) -> str:
    more = f" and {len(reasons) - shown} more" if len(reasons) > shown else ""
    return "; ".join(reasons[:shown]) + more
