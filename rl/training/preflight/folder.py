"""Whether a run's folder can be written; nothing is made to find out."""

import os
from collections.abc import Iterator
from pathlib import Path

from rl.training.preflight.finding import Finding


def folder(run: Path) -> Iterator[Finding]:
    """The fault of a folder that is not there and cannot be made, or that is there and cannot be written."""
    there = next(place for place in (run, *run.parents) if place.exists() or place.is_symlink())
    expected = "expected a folder that this user may write to; mend its permissions, or choose another --run."
    if not there.is_dir():
        yield Finding("--run", f"Got {run}, but {there} is a file, {expected}")
    elif not os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        yield Finding("--run", f"Got {run}, but {there} cannot be written, {expected}")


def nearest(run: Path) -> Path:
    """The folder that exists, in which the run's would be made."""
    return next(place for place in (run, *run.parents) if place.is_dir())
