"""The real images, where there are some."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_images() -> Path:
    """The folder with one folder a set, from MEDVISTA_DATA or beside the repository."""
    folder = Path(os.environ.get("MEDVISTA_DATA", Path(__file__).parents[4] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real images: set MEDVISTA_DATA to the folder that holds them")
    return folder
