"""Text in the pixels: found where it was written, blanked with nothing else touched, gone for the reader itself."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tools.images.burnt_in import blanked, find_text, without_text
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.volume import Volume


def written(*lines: tuple[str, tuple[int, int], int], size: tuple[int, int] = (400, 300), grey: int = 20) -> np.ndarray:
    picture = Image.new("L", size, grey)
    for text, place, height in lines:
        ImageDraw.Draw(picture).text(place, text, fill=255, font=ImageFont.load_default(size=height))
    return np.asarray(picture)


NAMED = written(("DOE JOHN 1950-01-02", (20, 30), 20), ("12.5 mm", (200, 250), 16))


def test_lines_are_read_where_they_are() -> None:
    first, second = find_text(Image.fromarray(NAMED))
    assert (first.text.replace(" ", ""), second.text.replace(" ", "")) == ("DOEJOHN1950-01-02", "12.5mm")
    ink = np.argwhere(NAMED[:100] == 255)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0) + 1
    for found, true in zip(first.box, (left, top, right, bottom), strict=True):
        assert abs(found - true) <= 6
    assert first.sureness > 0.8


def test_nothing_is_found_where_nothing_is_written(noise: MedicalImage) -> None:
    assert find_text(Image.new("L", (300, 200), 40)) == ()
    assert find_text(noise.display()) == ()


def test_at_load_the_text_is_gone_and_the_rest_is_untouched() -> None:
    pixels = NAMED.copy()
    pixels[120:200, 100:300] = 150  # anatomy
    clean = load_image(pixels, spacing=(0.5, 0.5), blank_burnt_in_text=True)
    assert find_text(clean.display(), 0.3) == ()
    assert (clean.pixels == 255).sum() == 0
    assert (clean.pixels[100:230] == pixels[100:230]).all()
    assert clean.provenance is None  # an original: the one with the name is nowhere
    assert clean.spacing == (0.5, 0.5)
    assert clean.facts.burnt_in_text is False
    assert clean.id != load_image(pixels).id


def test_depth_and_colours() -> None:
    deep = NAMED.astype(np.int16) * 10 - 1000
    clean = without_text(MedicalImage(deep))
    assert clean.pixels.dtype == np.int16
    assert int(clean.pixels.max()) < 1000
    assert clean.pixels.min() == deep.min()
    colour = without_text(MedicalImage(np.repeat(NAMED[:, :, None], 3, axis=2)))
    assert int(colour.pixels.max()) <= 20


def test_text_of_any_slice_is_blanked_in_all() -> None:
    plain = np.full_like(NAMED, 20)
    voxels = np.stack([plain, written(("DOE JOHN", (20, 30), 20)), plain + 100])
    clean = without_text(MedicalImage.of_volume(Volume(voxels, 2.0)))
    assert clean.volume is not None
    assert (clean.volume.voxels[1] < 255).all()
    assert clean.volume.voxels[2, 40, 40] == 20  # at the least value of the volume
    assert clean.volume.slice_spacing == 2.0


def test_blanking_by_hand() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    values[2, 3] = np.nan
    assert blanked(values, [(1, 0, 3, 2)])[:2].tolist() == [[0, 0, 0, 3], [4, 0, 0, 7]]


def test_a_real_ultrasound_loses_its_annotations(pydicom_files: Path) -> None:
    image = load_image(pydicom_files / "test_files/examples_rgb_color.dcm")
    lines = [line for line in find_text(image.display()) if line.sureness > 0.8]
    assert lines, "this ultrasound carries its scanner's annotations"
    assert not [line for line in find_text(without_text(image).display()) if line.sureness > 0.8]


def test_names_written_over_a_real_radiograph_are_blanked_whole(data: Path) -> None:
    picture = load_image(sorted((data / "cxr_lungs" / "images").iterdir())[3]).display().convert("L")
    ink = Image.new("L", picture.size, 0)
    for text, share, height in (
        ("DOE^JOHN", 0.05, 14),
        ("MRN 0048213", 0.4, 24),
        ("Schmidt, Anna 12.03.1961", 0.8, 18),
    ):
        place = (picture.width // 5, int(picture.height * share))
        for canvas in (picture, ink):
            ImageDraw.Draw(canvas).text(place, text, fill=255, font=ImageFont.load_default(size=height))
    image = MedicalImage(np.asarray(picture))
    letters = np.asarray(ink) > 128
    assert (without_text(image).pixels[letters] == image.pixels.min()).mean() > 0.99


def test_a_real_blood_smear_is_left_as_it_is(data: Path) -> None:
    # the reader takes some of its cells, and once the whole picture, for letters
    for path in sorted((data / "bccd" / "images").iterdir())[:20:5]:
        image = load_image(path)
        assert (without_text(image).pixels == image.pixels).all()


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (400, 5), (16, 16)])
def test_odd_shapes_are_no_problem(shape: tuple[int, int]) -> None:
    assert find_text(Image.fromarray(np.zeros(shape, np.uint8))) == ()
