"""DICOM files for the tests: those that pydicom carries, and ones made attribute by attribute."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def pydicom_files() -> Path:
    """The folder of the files that pydicom's own wheel carries for its tests."""
    import pydicom

    return Path(pydicom.__file__).parent / "data"


@pytest.fixture(scope="session")
def dicom() -> Callable[..., bytes]:
    """`dicom(pixels, **attributes)`: the bytes of a DICOM object; pixels (frames,) rows, columns (, 3)."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    def make(pixels: np.ndarray, **attributes: Any) -> bytes:
        colour = pixels.shape[-1] == 3 and pixels.ndim > 2
        frames = pixels.shape[0] if pixels.ndim - colour == 3 else 1
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        rows, columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rows, columns, 3 if colour else 1
        dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
        if colour:
            dataset.PlanarConfiguration = 0
        if frames > 1:
            dataset.NumberOfFrames = frames
        dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
        dataset["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
        for name, value in attributes.items():
            setattr(dataset, name, value)
        file = io.BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        return file.getvalue()

    return make
