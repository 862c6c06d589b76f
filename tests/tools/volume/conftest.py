"""A small volume whose every voxel tells where it is, and a real one."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tools.images.facts import Facts
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.volume import Volume


@pytest.fixture
def numbered_voxels() -> MedicalImage:
    """5 slices of 3 rows x 4 columns, value 100 * slice + 10 * row + column; 2.0 x 1.0 x 0.5 mm, straight axial."""
    slice_, row, column = np.mgrid[0:5, 0:3, 0:4]
    voxels = (100 * slice_ + 10 * row + column).astype(np.int16)
    volume = Volume(voxels, 2.0, ((0, 0, 1), (0, 1, 0), (1, 0, 0)))
    return MedicalImage.of_volume(volume, (1.0, 0.5), facts=Facts(modality="CT", unit="HU", orientation=("L", "P")))


@pytest.fixture(scope="session")
def brain() -> MedicalImage:
    """nibabel's own anatomical MR: 25 slices of 41 x 33 voxels of 2 mm."""
    return load_image(Path(nibabel.__file__).parent / "tests" / "data" / "anatomical.nii")
