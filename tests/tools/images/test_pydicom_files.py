"""Every file that pydicom carries for its own tests either loads or is refused with an ImageError; none crashes."""

import contextlib
import random
from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from tools.errors import ImageError
from tools.images.limits import Limits
from tools.images.load import load_image

NOT_READ = {
    "JPEG-lossy.dcm": "a marker segment that no decoder accepts",
    "JPEG2000-embedded-sequence-delimiter.dcm": "made for a parser: its header announces 3722445056 columns",
    "MR_truncated.dcm": "cut short",
    "badVR.dcm": "a number that is none",
    "SC_rgb_rle_32bit.dcm": "colours of 32 bits",
    "SC_rgb_rle_32bit_2frame.dcm": "colours of 32 bits",
    "meta_missing_tsyntax.dcm": "pixels without a size",
    "nested_priv_SQ.dcm": "pixels without a size",
}
"""Those that hold pixels and are refused all the same."""


@pytest.mark.filterwarnings("ignore")
def test_all_of_pydicoms_own_files(pydicom_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[str] = Counter()
    refused: dict[str, str] = {}
    for path in sorted(pydicom_files.rglob("*")):
        if not path.is_file() or path.suffix in (".py", ".pyc"):
            continue
        try:
            image = load_image(path)
            assert image.display().size == image.size
            counts["loaded"] += 1
        except ImageError as error:
            assert "Got" in str(error)
            assert "expected" in str(error) or "Give" in str(error)
            refused[path.name] = str(error)
            counts["refused"] += 1
    with capsys.disabled():
        print(f"\npydicom's own files: {counts['loaded']} load, {counts['refused']} give an ImageError, 0 crash")
    assert counts["loaded"] >= 100
    with_pixels = {name for name in refused if _has_pixels(pydicom_files, name)}
    assert with_pixels <= set(NOT_READ)


def _has_pixels(folder: Path, name: str) -> bool:
    with contextlib.suppress(InvalidDicomError, OSError, TypeError):
        return "PixelData" in dcmread(next(folder.rglob(name)))
    return False


@pytest.mark.filterwarnings("ignore")
def test_a_thousand_damaged_ones_load_or_give_an_image_error(pydicom_files: Path) -> None:
    chance = random.Random(11)
    whole = [each.read_bytes() for each in sorted(pydicom_files.rglob("*.dcm")) if each.stat().st_size < 100_000]
    refused = 0
    for _ in range(1000):
        content = bytearray(chance.choice(whole))
        end = len(content) if chance.random() < 0.5 else min(len(content), 2500)
        for _ in range(chance.randrange(1, 20)):
            content[chance.randrange(end)] = chance.randrange(256)
        if chance.random() < 0.3:
            content = content[: chance.randrange(len(content))]
        try:
            load_image(bytes(content), limits=Limits(pixels=4_000_000, voxels=20_000_000))
        except ImageError:
            refused += 1
    assert 200 < refused < 1000
