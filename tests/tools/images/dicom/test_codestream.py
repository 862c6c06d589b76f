"""The size in a compressed frame's own header; a frame that announces another size than its object is refused."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

from tools.errors import ImageError
from tools.images.dicom.codestream import announced_size
from tools.images.load import load_image


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("JPEG2000.dcm", (256, 1024)),
        ("JPGExtended.dcm", (256, 1024)),
        ("MR_small_jpeg_ls_lossless.dcm", (64, 64)),
        ("SC_rgb_jpeg_gdcm.dcm", (100, 100)),
        ("MR_small_RLE.dcm", None),
    ],
)
def test_each_kind_of_frame(pydicom_files: Path, name: str, size: tuple[int, int] | None) -> None:
    dataset = dcmread(pydicom_files / "test_files" / name)
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    assert announced_size(frame) == size


@pytest.mark.parametrize(
    "frame", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\0\x11", b"\xff\x4f\xff\x51", b"\xff\xd8abcdefghijk"]
)
def test_a_cut_header_says_nothing(frame: bytes) -> None:
    assert announced_size(frame) is None


def test_a_few_bytes_cannot_ask_for_gigabytes(pydicom_files: Path) -> None:
    content = bytearray((pydicom_files / "test_files/JPEG2000.dcm").read_bytes())
    at = content.index(b"\xff\x4f\xff\x51") + 8
    content[at : at + 8] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(ImageError, match="60000 x 60000 pixels in an object of 256 x 1024"):
        load_image(bytes(content))
