"""What an adapter needs from its user, and what is said where it is missing: a package, and a folder of weights.

Weights lie in folders of MEDVISTA_WEIGHTS, one a model. An adapter looks for them itself, so that no library fetches
them in silence from a network.
"""

import importlib
import os
from pathlib import Path
from typing import Any

from tools.errors import ToolFailed

WEIGHTS = "MEDVISTA_WEIGHTS"
"""The environment variable that names the folder."""


def library(name: str, tool: str, install: str) -> Any:
    """The module `name`. Raises ToolFailed that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ToolFailed(f"{tool}: got no module {name}, expected it to be installed: {install}.") from error


def weights(folder: str, tool: str, published: str, *files: str) -> Path:
    """The folder of one model's weights, with all `files` (glob patterns) in it. Raises ToolFailed."""
    root = os.environ.get(WEIGHTS)
    where = f"{WEIGHTS}/{folder}"
    if not root:
        raise ToolFailed(f"{tool}: {WEIGHTS} is not set; expected a folder with weights in {where}, from {published}.")
    place = Path(root) / folder
    missing = [file for file in files if not any(place.glob(file))]
    if missing:
        raise ToolFailed(f"{tool}: got no {', '.join(missing)} in {where}, expected them from {published}.")
    return place


def device() -> str:
    """cuda where there is one, else cpu."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
