"""Where a training that was cut off goes on, and that nothing half lies in its way.

OpenRLHF 0.11.2 saves at a step N in this order: it removes the checkpoints that are too many, the oldest first;
DeepSpeed writes `_actor/global_stepN/`, then its name into `_actor/latest`; then comes the Hugging Face folder
`global_stepN_hf`. A critic's `_critic/` is written at the same time. So a kill may leave

- half of a DeepSpeed checkpoint beside the whole one that `latest` names. At the next save the whole one would be the
  oldest, and be removed before the other is written again: the half one goes.
- a `latest` that is empty, or names a checkpoint of which another process had not written its part: it is set back.
- a checkpoint without its Hugging Face folder, or with half of one. Training goes on after its step, so that folder is
  never finished: the half one, as large as the model, goes. Where it was the last step, OpenRLHF finds nothing left to
  do and writes these weights to its output folder, from where rl/training/run.py publishes them.
"""

import re
import shutil
from pathlib import Path

from rl.processes.child import TrainingError
from rl.training.whole_files import whole_checkpoint, whole_file
from tools.private_files import write_whole

LATEST = "latest"
ROLES = ("_actor", "_critic")
_CHECKPOINT = re.compile(r"(?:best_)?global_step(\d+)")
_SAVED = re.compile(r"(?:best_)?global_step\d+_hf")


def named_step(role: Path) -> int | None:
    """The step of the checkpoint that DeepSpeed would go on from; None where `latest` names none."""
    try:
        return _step((role / LATEST).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None


def resume_from(checkpoints: Path) -> int:
    """Makes a folder of checkpoints one that OpenRLHF can go on from; the step it goes on from, 0 for the beginning.

    Raises TrainingError where a checkpoint had been finished and none is whole.
    """
    for folder in checkpoints.glob("*_hf"):
        if _SAVED.fullmatch(folder.name) and not whole_checkpoint(folder):
            shutil.rmtree(folder)
    roles = [role for role in (checkpoints / name for name in ROLES) if role.is_dir()]
    if not roles or not all((role / LATEST).exists() for role in roles):  # not even the first was finished
        for role in roles:
            (role / LATEST).unlink(missing_ok=True)
        return 0
    whole = set[str].intersection(*map(_whole, roles))
    if not whole:
        raise TrainingError(
            f"Got no whole checkpoint in {' and '.join(map(str, roles))}, expected the one that `{LATEST}` names. Put "
            f"it back, or remove {checkpoints}: reinforcement learning then begins anew."
        )
    newest = max(whole, key=lambda name: (_step(name) or 0, name))
    for role in roles:
        for name in _names(role):
            if (_step(name) or 0) > (_step(newest) or 0):
                shutil.rmtree(role / name)
        write_whole(role / LATEST, newest.encode())
    return _step(newest) or 0


def _step(name: str) -> int | None:
    match = _CHECKPOINT.fullmatch(name)
    return int(match[1]) if match else None


def _names(role: Path) -> list[str]:
    return [path.name for path in role.iterdir() if path.is_dir() and _step(path.name) is not None]


def _whole(role: Path) -> set[str]:
    """Checkpoints up to the one finished last whose files are whole, and which lack none that another has."""
    finished = named_step(role)
    parts = {name: {path.relative_to(role / name) for path in (role / name).rglob("*.pt")} for name in _names(role)}
    every = set[Path]().union(*parts.values())
    return {
        name
        for name, files in parts.items()
        if files and files == every and (finished is None or (_step(name) or 0) <= finished)
        if all(whole_file(role / name / file) for file in files)
    }
