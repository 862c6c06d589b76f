"""What the tests of `tools` share: a store, an image whose every pixel tells where it is, and the real images."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.store import ImageStore


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "store")


@pytest.fixture
def noise() -> MedicalImage:
    """512 x 512, 8-bit: no two crops of it are alike."""
    return MedicalImage(np.random.default_rng(7).integers(0, 256, (512, 512), dtype=np.uint8))


@pytest.fixture
def ct() -> MedicalImage:
    """48 rows x 64 columns, value 100 * row + column - 1000 as in Hounsfield units; 0.5 x 0.25 mm."""
    row, column = np.mgrid[0:48, 0:64]
    return MedicalImage((100 * row + column - 1000).astype(np.int16), spacing=(0.5, 0.25))


@pytest.fixture
def from_pydicom() -> Callable[[str], MedicalImage]:
    """A file of pydicom's own tests, by its name: real scans that are installed with it."""

    def loaded(name: str) -> MedicalImage:
        path = get_testdata_file(name, download=False)
        assert path is not None, f"pydicom carries no {name}"
        return load_image(str(path))

    return loaded


@pytest.fixture
def from_skimage() -> Callable[[str], MedicalImage]:
    """A picture that is installed with scikit-image, by its name."""
    import skimage

    return lambda name: load_image(Path(skimage.__file__).parent / "data" / name)


@pytest.fixture
def data() -> Path:
    """The real images, from MEDVISTA_DATA or beside the repository."""
    folder = Path(os.environ.get("MEDVISTA_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real images: set MEDVISTA_DATA to the folder that holds them")
    return folder
