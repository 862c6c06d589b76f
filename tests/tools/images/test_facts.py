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
