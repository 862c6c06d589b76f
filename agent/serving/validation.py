"""Whether a checkpoint may be loaded into a running server: everything is checked before the server hears of it.

vLLM answers a failed reload with an error, calls itself healthy, and dies at the next request. So nothing is left for
it to find: the files are those of the manifest, whole, and the checkpoint fits the served one (`fit`). A version's name
stands for one content: other weights under the live one's name are refused.

`check_contents` is the part that every load needs, a server's start too; it does not read the weights.
"""

from __future__ import annotations

from pathlib import Path

from agent.serving.checkpoint import Checkpoint, hash_file
from agent.serving.compatibility import check_fit
from agent.serving.files import MANIFEST, CheckpointError, check_files, read_object, shortened
from agent.serving.weights import read_headers


def validate(checkpoint: Checkpoint, served: Checkpoint) -> None:
    """Check that `checkpoint` can replace `served` in a running server. Raises CheckpointError, with all of the reason.

    Reads every byte of the checkpoint (twice), never the server.
    """
    check_manifest(checkpoint)
    _check_name(checkpoint, served)
    check_fit(checkpoint, served)


def image_prompt(folder: Path) -> list[int]:
    """The shortest prompt with one picture, in ids, as the checkpoint's family has it. Raises CheckpointError."""
    from agent.chat.families.find import seen_as
    from agent.chat.families.template import TemplateError
    from agent.encoder import EncodingError, load_processor

    try:
        return seen_as(load_processor(folder)).image_prompt
    except (EncodingError, TemplateError, OSError, ValueError) as error:
        raise CheckpointError(
            f"got {folder}, whose processor gives no prompt with a picture to prove new weights by ({error}); expected "
            "one of a family that is known here; start a server for it instead of swapping"
        ) from error


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
