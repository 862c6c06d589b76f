"""Whether a checkpoint fits the one that a running server holds, so that its weights can take the others' place.

The weights are finite, and those of the served model in name, shape and type; what the server read once, at its start,
is the same: architecture, tokenizer, chat template, end tokens, image processor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from agent.serving.checkpoint import Checkpoint
from agent.serving.files import CheckpointError, read_object, shortened
from agent.serving.weights import find_not_finite, read_headers

FREE_CONFIG_KEYS = frozenset(
    {"_name_or_path", "architectures", "attention_dropout", "bos_token_id", "dtype", "initializer_range"}
    | {"pad_token_id", "torch_dtype", "transformers_version", "use_cache"}
)
"""Keys of config.json that change nothing in how the model computes; the architecture itself is compared at the top."""
TOKENIZER_PARTS = ("model", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")
"""What decides which ids a text has; truncation and padding are a caller's settings."""
TOKENIZER_SWITCHES = ("add_bos_token", "add_eos_token", "do_lower_case", "split_special_tokens")
"""In tokenizer_config.json, what transformers lets have a say in it; off where it is left out."""
FREE_PROCESSOR_KEYS = frozenset({"processor_class", "image_processor_type", "video_processor", "transformers_version"})


def check_fit(checkpoint: Checkpoint, served: Checkpoint) -> None:
    """Check that `checkpoint` can replace `served`. Reads every weight. Raises CheckpointError."""
    _check_weights(checkpoint, served)
    _check_config(checkpoint, served)
    _check_tokenizer(checkpoint, served)
    _check_chat_template(checkpoint, served)
    _check_end_tokens(checkpoint, served)
    _check_image_processor(checkpoint, served)


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
    different = [part for part in TOKENIZER_PARTS if ours.get(part) != theirs.get(part)]
    switched = [_settings(each.folder, "tokenizer_config.json") for each in (checkpoint, served)]
    different += [name for name in TOKENIZER_SWITCHES if bool(switched[0].get(name)) != bool(switched[1].get(name))]
    if different:
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
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        if (template := _settings(folder, name).get("chat_template")) is not None:
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
    ids = _first_of(folder, "eos_token_id", "generation_config.json", "config.json")
    token = _first_of(folder, "eos_token", "tokenizer_config.json", "special_tokens_map.json")
    content = cast(dict[str, Any], token).get("content") if isinstance(token, dict) else token
    listed = cast(list[object], ids) if isinstance(ids, list) else [ids]
    return {"ids": sorted(set(map(repr, listed))), "token": content}


def _first_of(folder: Path, key: str, *names: str) -> object:
    """The first value of `key` in these files of a folder; None where none has it."""
    found = (_settings(folder, name).get(key) for name in names)
    return next((value for value in found if value is not None), None)


def _settings(folder: Path, name: str) -> dict[str, Any]:
    """A file that may be left out; empty then."""
    return read_object(folder / name) if (folder / name).exists() else {}


def _check_image_processor(checkpoint: Checkpoint, served: Checkpoint) -> None:
    ours, theirs = _image_processor(checkpoint.folder), _image_processor(served.folder)
    if reasons := _differences(ours, theirs, FREE_PROCESSOR_KEYS):
        raise CheckpointError(
            f"got an image processor of {checkpoint.version} that differs from the served {served.version}: "
            f"{shortened(reasons)}; publish with settings_from=the served folder"
        )


def _image_processor(folder: Path) -> dict[str, Any]:
    """The image processor's settings: a file of its own, or a part of processor_config.json (transformers 5)."""
    own = folder / "preprocessor_config.json"
    if own.is_file():
        return read_object(own)
    both = folder / "processor_config.json"
    settings = read_object(both).get("image_processor") if both.is_file() else None
    if not isinstance(settings, dict):
        raise CheckpointError(f"got no image processor in {folder}, expected its settings; publish with settings_from")
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
