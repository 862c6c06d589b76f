"""The imagecodecs plug-in: lossless frames to the bit, colours in place, JPEG of 12 bits as near as it was coded."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2K, UID, HTJ2KLossless, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless

from tools.images.dicom import stored
from tools.images.dicom.imagecodecs_plugin import DECODER_DEPENDENCIES, is_available
from tools.images.load import load_image

imagecodecs = pytest.importorskip("imagecodecs", reason="an extra: pip install 'medvista[jpeg]'")


@pytest.fixture(autouse=True)
def no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "DECODERS", ("pydicom", "imagecodecs", "pylibjpeg"))


def test_jpeg_ls_is_lossless(pydicom_files: Path) -> None:
    coded = load_image(pydicom_files / "test_files/MR_small_jpeg_ls_lossless.dcm")
    assert (coded.pixels == load_image(pydicom_files / "test_files/MR_small.dcm").pixels).all()


def test_jpeg_lossless_keeps_its_colours(pydicom_files: Path) -> None:
    # stripes of ten rows: red, pale red, green, pale green, blue ...
    stripes = load_image(pydicom_files / "test_files/SC_rgb_jpeg_gdcm.dcm").pixels
    assert stripes[5, 50].tolist() == [255, 0, 0]
    assert stripes[25, 50].tolist() == [0, 255, 0]
    assert stripes[45, 50].tolist() == [0, 0, 255]


def test_twelve_bits_are_read(pydicom_files: Path) -> None:
    # the same scan as JPEG2000.dcm, which is another lossy coding of it
    twelve = load_image(pydicom_files / "test_files/JPGExtended.dcm").pixels.astype(float)
    other = load_image(pydicom_files / "test_files/JPEG2000.dcm").pixels.astype(float)
    assert twelve.max() > 255
    assert np.corrcoef(twelve.ravel(), other.ravel())[0, 1] > 0.95


def test_all_its_syntaxes_are_known_to_pydicom() -> None:
    assert all(is_available(syntax) for syntax in DECODER_DEPENDENCIES)
    assert not is_available("1.2.840.10008.1.2")


@pytest.mark.parametrize(
    ("syntax", "code"),
    [
        (JPEGLossless, lambda pixels: imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=4, bitspersample=16)),
        (
            JPEGLosslessSV1,
            lambda pixels: imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, bitspersample=16),
        ),
        (JPEGLSLossless, lambda pixels: imagecodecs.jpegls_encode(pixels)),
        (HTJ2KLossless, lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True)),
        (HTJ2K, lambda pixels: imagecodecs.htj2k_encode(pixels, reversible=True)),
    ],
)
def test_a_real_scan_coded_by_another_library(
    syntax: UID, code: Callable[[np.ndarray], bytes], pydicom_files: Path
) -> None:
    dataset = dcmread(pydicom_files / "test_files/MR_small.dcm")
    plain = load_image(pydicom_files / "test_files/MR_small.dcm")
    pixels = np.ascontiguousarray(dataset.pixel_array).astype(np.uint16)
    dataset.PixelRepresentation = 0
    dataset.PixelData = encapsulate([code(pixels)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    dataset.save_as(file)
    assert (load_image(file.getvalue()).pixels == plain.pixels).all()
