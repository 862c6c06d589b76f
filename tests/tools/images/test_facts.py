"""Facts: from closed lists, part of the identity, kept by the store."""

import numpy as np
import pytest

from tools.errors import ImageError
from tools.images.facts import CalibratedRegion, Facts
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

ALL = Facts("US", "HU", ("L", "P"), (CalibratedRegion((1, 2, 30, 40), (0.3, 0.2)),), (0.2, 0.1), True)


def test_they_survive_the_store(store: ImageStore) -> None:
    for facts in (ALL, Facts(), Facts(burnt_in_text=False)):
        image = MedicalImage(np.zeros((50, 50), np.uint8), facts=facts)
        assert ImageStore(store.folder).get(store.put(image)).facts == facts


def test_they_are_part_of_the_identity_and_nothing_known_changes_no_id() -> None:
    pixels = np.zeros((5, 5), np.uint8)
    assert MedicalImage(pixels, facts=Facts()).id == MedicalImage(pixels).id
    assert MedicalImage(pixels, facts=Facts("CT")).id != MedicalImage(pixels, facts=Facts("MR")).id


@pytest.mark.parametrize("wrong", [{"modality": "DOE^JOHN"}, {"unit": "DOE"}, {"orientation": ("J", "D")}])
def test_they_hold_no_other_words_and_do_not_repeat_them(wrong) -> None:
    with pytest.raises(ImageError, match="expected") as error:
        Facts(**wrong)
    assert "DOE" not in str(error.value)


def test_another_picture_of_the_same_field_has_no_unit_but_the_rest() -> None:
    image = MedicalImage(np.zeros((50, 50), np.int16), facts=ALL)
    assert image.derived(np.zeros((50, 50), np.uint8)).facts == ALL.without_unit()
    assert image.crop((0, 0, 10, 10)).facts.regions == (CalibratedRegion((1, 2, 10, 10), (0.3, 0.2)),)
    assert image.crop((40, 40, 50, 50)).facts.regions == ()


def test_they_turn_with_the_image() -> None:
    # 50 wide, 60 high; clockwise: 60 wide, the old lower edge (P) is the left one, so the right edge is A
    turned = ALL.turned(1, False, (50, 60))
    assert turned.orientation == ("A", "L")
    assert turned.regions == (CalibratedRegion((20, 1, 58, 30), (0.2, 0.3)),)
    assert turned.detector_spacing == (0.1, 0.2)
    mirrored = ALL.turned(0, True, (50, 60))
    assert mirrored.orientation == ("R", "P")
    assert mirrored.regions == (CalibratedRegion((20, 2, 49, 40), (0.3, 0.2)),)
    assert ALL.turned(4, False, (50, 60)) == ALL


def test_they_grow_with_the_image() -> None:
    # 2 times across, 3 times down; 1.5 times: x 1.5..45 and y 3..60, of which whole pixels are 2..45 and 3..60
    assert ALL.scaled(2, 3).regions == (CalibratedRegion((2, 6, 60, 120), (0.3 / 3, 0.1)),)
    assert ALL.scaled(1.5, 1.5).regions[0].box == (2, 3, 45, 60)
    assert ALL.scaled(2, 2).detector_spacing == (0.1, 0.05)
