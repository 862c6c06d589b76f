"""Loading: depth kept, nothing lost in silence, a clear ImageError for everything else."""

import base64
import gzip
import io
import json
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.errors import ImageError
from tools.images.limits import Limits
from tools.images.load import load_image


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def pattern(mode: str) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    return Image.fromarray(values[:, :, 0] if mode == "L" else values)


def png_of(width: int, height: int, bit_depth: int, colour_type: int, rows: bytes) -> bytes:
    """A PNG written by hand, for what Pillow does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_lossless_files_give_the_very_pixels(kind: str, options: dict[str, object], mode: str, tmp_path: Path) -> None:
    picture = pattern(mode)
    path = tmp_path / "scan"
    path.write_bytes(encoded(picture, kind, **options))
    image = load_image(path)
    expected = np.asarray(picture)
    if kind == "WEBP" and mode == "L":  # WebP knows colour only
        expected = np.repeat(expected[:, :, None], 3, axis=2)
    assert image.pixels.dtype == np.uint8
    assert (image.pixels == expected).all()
    assert image.provenance is None


def test_jpeg_is_near() -> None:
    smooth = Image.fromarray(np.tile(np.arange(0, 250, 5, dtype=np.uint8), (40, 1)))
    pixels = load_image(encoded(smooth, "JPEG", quality=95)).pixels
    assert np.abs(pixels.astype(int) - np.asarray(smooth)).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_kept(kind: str) -> None:
    values = np.array([[0, 1, 257, 65535]], np.uint16)
    image = load_image(encoded(Image.fromarray(values), kind))
    assert image.pixels.dtype == np.uint16
    assert image.pixels.tolist() == values.tolist()


def test_signed_and_float_tiffs_are_kept() -> None:
    signed = np.array([[-1000, 0, 3071]], np.int32)
    image = load_image(encoded(Image.fromarray(signed), "TIFF"))
    assert image.pixels.dtype == np.int16
    assert image.pixels.tolist() == signed.tolist()
    real = np.array([[0.25, -1.5]], np.float32)
    image = load_image(encoded(Image.fromarray(real), "TIFF"))
    assert image.pixels.dtype == np.float32
    assert image.pixels.tolist() == real.tolist()


def test_16_bit_colour_is_refused_not_halved() -> None:
    rows = b"\0" + struct.pack(">6H", 1, 2, 3, 65535, 4, 5)
    with pytest.raises(ImageError, match="16"):
        load_image(png_of(2, 1, 16, 2, rows))


def test_transparency_lies_on_black_and_palettes_become_colour() -> None:
    half = Image.fromarray(np.array([[[200, 100, 50, 255], [200, 100, 50, 0]]], np.uint8))
    assert load_image(half).pixels.tolist() == [[[200, 100, 50], [0, 0, 0]]]
    grey = Image.fromarray(np.array([[[80, 255], [80, 0]]], np.uint8), "LA")
    assert load_image(grey).pixels.tolist() == [[80, 0]]
    palette = Image.new("P", (1, 1), 3)
    palette.putpalette([0] * 9 + [9, 8, 7])
    assert load_image(palette).pixels.tolist() == [[[9, 8, 7]]]
    assert load_image(Image.new("1", (1, 1), 1)).pixels.tolist() == [[255]]


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    wide = Image.fromarray(np.zeros((10, 30), np.uint8))
    assert load_image(encoded(wide, "JPEG", exif=exif)).size == (10, 30)


def test_arrays_and_data_urls(noise) -> None:
    assert load_image(noise.pixels).id == noise.id
    assert load_image(noise) is noise
    assert load_image(noise, spacing=(1.0, 2.0)).spacing == (1.0, 2.0)
    url = "data:image/png;base64," + base64.b64encode(encoded(Image.fromarray(noise.pixels), "PNG")).decode()
    assert load_image(url).id == noise.id
    assert load_image(np.array([[-5, 70000 - 65536]])).pixels.dtype == np.int16
    assert load_image(np.array([[0.5]])).pixels.dtype == np.float32
    assert load_image(np.zeros((4, 5, 1), np.uint8)).pixels.shape == (4, 5)


def test_spacing_comes_from_the_caller_or_the_file_beside(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(encoded(pattern("L"), "PNG", dpi=(72, 72)))
    assert load_image(path).spacing is None  # a print resolution is no spacing
    (tmp_path / "scan.json").write_text(json.dumps({"spacing_mm": [0.7, 0.5]}))
    assert load_image(str(path)).spacing == (0.7, 0.5)
    assert load_image(path, spacing=(1, 2)).spacing == (1.0, 2.0)
    (tmp_path / "scan.json").write_text('{"another": "program"}')
    assert load_image(path).spacing is None


@pytest.mark.parametrize(
    "beside", ["{", '{"spacing_mm": "12"}', '{"spacing_mm": [1]}', '{"spacing_mm": [0, 1]}', "\xff"]
)
def test_a_wrong_spacing_is_an_error_not_no_spacing(beside: str, tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(encoded(pattern("L"), "PNG"))
    (tmp_path / "scan.json").write_bytes(beside.encode("latin-1"))
    with pytest.raises(ImageError, match="spacing"):
        load_image(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_a_truncated_file(kind: str, share: float, tmp_path: Path) -> None:
    content = encoded(pattern("RGB"), kind)
    path = tmp_path / "scan"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ImageError, match="Give a file"):
        load_image(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "0 bytes"),
        (b"hello, I am text", "PNG, JPEG, TIFF, BMP, WEBP"),
        (b"%PDF-1.7 ...", "PNG, JPEG"),
        (bytes(128) + b"DICM" + bytes(400), "DICOM"),
        (bytes(344) + b"n+1\0" + bytes(400), "NIfTI"),
        (b"\x1f\x8b" + bytes(50), "gzip"),
        (gzip.compress(b"no image", mtime=0), "gzip file that holds neither NIfTI nor DICOM"),
        (encoded(Image.new("L", (2, 2)), "GIF"), "PNG, JPEG"),
    ],
)
def test_wrong_content(content: bytes, said: str) -> None:
    with pytest.raises(ImageError) as error:
        load_image(content)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "source",
    [
        "https://example.org/scan.png",
        "file:///etc/passwd",
        "data:image/png,raw",
        "data:image/png;base64,@@@",
        "no/such/file.png",
        "a\0b.png",
        42,
        None,
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((2, 3, 4, 5), np.uint8),
        np.array([["a"]]),
        np.array([[1 + 2j]]),
        np.array([[True]]),
        np.array([[70000, -1]]),
        np.full((2, 2), np.nan),
    ],
)
def test_wrong_sources(source) -> None:
    with pytest.raises(ImageError):
        load_image(source)


def test_folders_pipes_and_devices(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ImageError, match="expected"):
            load_image(path)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    # 60,000 x 60,000 pixels announced by a file of under 100 bytes
    bomb = png_of(60_000, 60_000, 8, 0, b"")
    assert len(bomb) < 100
    with pytest.raises(ImageError):
        load_image(bomb)
    with pytest.raises(ImageError, match=r"8001 x 8000 pixels, expected at most 64000000"):
        load_image(png_of(8001, 8000, 8, 0, b""))
    with pytest.raises(ImageError, match="at most 50"):
        load_image(np.zeros((10, 10), np.uint8), limits=Limits(pixels=50))


def test_several_frames_are_refused() -> None:
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 100)]
    with pytest.raises(ImageError, match="2 frames"):
        load_image(encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]))


def test_no_error_tells_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "DOE_JOHN_1950.png"
    path.write_bytes(b"broken")
    for wrong in (path, tmp_path / "DOE_JOHN_1951.png"):
        with pytest.raises(ImageError) as error:
            load_image(wrong)
        assert "DOE" not in str(error.value)


@pytest.mark.filterwarnings("ignore")
def test_a_thousand_damaged_files_load_or_give_an_image_error(capfd) -> None:
    chance = random.Random(3)
    whole = [encoded(pattern(mode), kind) for mode in ("L", "RGB") for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP")]
    whole.append(encoded(pattern("RGB"), "TIFF", compression="tiff_lzw"))
    refused = 0
    for _ in range(1000):
        content = bytearray(chance.choice(whole))
        for _ in range(chance.randrange(1, 20)):
            content[chance.randrange(min(len(content), chance.choice([100, 10**6])))] = chance.randrange(256)
        try:
            load_image(bytes(content[: chance.randrange(len(content) // 2, len(content))]), limits=Limits(pixels=10**6))
        except ImageError:
            refused += 1
    assert refused > 500


def test_real_images(data: Path) -> None:
    smear = load_image(next((data / "bccd" / "images").glob("*.jpg")))
    assert smear.size == (640, 480)
    assert smear.pixels.shape == (480, 640, 3)
    labels = load_image(next((data / "dsb2018" / "labels").glob("*.png")))
    assert labels.pixels.dtype == np.uint16
    assert labels.pixels.max() > 0
    for path in sorted((data / "cxr_lungs" / "images").iterdir())[:5]:
        assert max(load_image(path).size) <= 1024
