"""blank_text: the text is gone from the picture and is not told; all else stays as it was measured."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tools.evidence import Evidence
from tools.images.burnt_in import find_text
from tools.images.facts import Facts
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.store import ImageStore
from tools.images.volume import Volume
from tools.read.blank_text import blank_text
from tools.remake import remake


def blank(image: MedicalImage) -> Evidence:
    return blank_text.apply({"image": 1}, [image])


def named(base: np.ndarray, text: str = "DOE JOHN") -> np.ndarray:
    picture = Image.fromarray(base)
    ImageDraw.Draw(picture).text((20, 20), text, fill=255, font=ImageFont.load_default(size=20))
    return np.asarray(picture)


def test_a_name_is_blanked_and_not_told(store: ImageStore) -> None:
    pixels = named(np.full((200, 300), 60, np.uint8))
    image = MedicalImage(pixels, spacing=(0.5, 0.5), facts=Facts(modality="US"))
    found = blank(image)
    (clean,) = found.images
    assert found.text == "Image 1 with 1 line of text blanked."
    assert "DOE" not in f"{found}"
    assert (clean.pixels == 60).all()
    assert (clean.spacing, clean.facts.modality) == ((0.5, 0.5), "US")
    # where it was is told, so that one can look
    assert found.regions[0].box[0] < 25
    assert found.regions[0].box[2] > 100
    store.put(image)
    assert clean.provenance is not None
    assert remake(clean.provenance, store.get).pixels.tobytes() == clean.pixels.tobytes()


def test_no_text_no_picture() -> None:
    found = blank(MedicalImage(np.full((200, 300), 60, np.uint8)))
    assert (found.text, found.images) == ("No text in image 1.", ())


def test_of_a_volume_the_slice_that_is_shown() -> None:
    plain = np.full((200, 300), 60, np.uint8)
    image = MedicalImage.of_volume(Volume(np.stack([plain, named(plain), plain])))
    (clean,) = blank(image).images
    assert clean.volume is None
    assert (clean.pixels == 60).all()
    assert str(clean.origin().section) == "slice 2"


def test_a_real_radiograph_loses_its_marker_alone(data: Path) -> None:
    image = load_image(sorted((data / "cxr_lungs" / "images").iterdir())[0])
    (clean,) = blank(image).images
    changed = np.argwhere(clean.pixels != image.pixels)
    assert len(find_text(clean.display())) == 0
    # the letter L stands at x 976 .. 1023, y 573 .. 659
    assert changed[:, 0].min() > 550
    assert changed[:, 0].max() < 680
    assert changed[:, 1].min() > 955
