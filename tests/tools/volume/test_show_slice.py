"""show_slice: these voxels and no others, with their place in the volume; made again bit by bit."""

from pathlib import Path

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.evidence import Evidence, Region
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.provenance import Section
from tools.images.store import ImageStore
from tools.images.volume import Volume
from tools.registry import load_tools
from tools.remake import remake
from tools.toolbox import Toolbox, ToolCall
from tools.volume.show_slice import show_slice


def show(image: MedicalImage, number: int) -> Evidence:
    return show_slice.apply({"image": 1, "slice": number}, [image])


def test_exactly_the_measured_voxels(numbered_voxels: MedicalImage) -> None:
    found = show(numbered_voxels, 2)
    (view,) = found.images
    assert found.text == "Slice 2 of 5 of image 1."
    assert view.pixels.tolist() == [[100, 101, 102, 103], [110, 111, 112, 113], [120, 121, 122, 123]]
    assert view.pixels.dtype == np.int16
    assert view.spacing == (1.0, 0.5)
    assert (view.facts.unit, view.facts.orientation) == ("HU", ("L", "P"))
    assert view.volume is None
    whole = Section("acquired", 2, 2)
    assert view.origin().section == whole
    assert found.regions == (Region(image=numbered_voxels.id, box=(0.0, 0.0, 4.0, 3.0), section=whole),)


def test_all_slices_have_the_same_greys(numbered_voxels: MedicalImage) -> None:
    # slice 1 holds the least values, slice 5 the greatest: seen beside each other they must not look alike
    first, last = (np.asarray(show(numbered_voxels, number).images[0].display()) for number in (1, 5))
    assert int(first.max()) < int(last.min())


@pytest.mark.parametrize("number", [0, -1, 6])
def test_a_slice_that_there_is_not(numbered_voxels: MedicalImage, number: int) -> None:
    with pytest.raises(ToolRetry, match=f"got slice {number}, but image 1 has slices 1 to 5"):
        show(numbered_voxels, number)


def test_a_picture_is_no_volume(noise: MedicalImage, numbered_voxels: MedicalImage) -> None:
    with pytest.raises(ToolRetry, match="got image 1, which is one picture; expected the image of a whole volume"):
        show(noise, 1)
    with pytest.raises(ToolRetry, match="which is slice 2 of a volume"):
        show(show(numbered_voxels, 2).images[0], 1)


def test_a_volume_of_one_slice() -> None:
    image = MedicalImage.of_volume(Volume(np.full((1, 4, 4), 7, np.uint8)))
    # its only slice is what it shows
    assert show(image, 1).images[0].pixels.tolist() == np.full((4, 4), 7).tolist()


def test_frames_of_a_real_film(pydicom_frames: Path) -> None:
    film = load_image(pydicom_frames)
    found = show(film, 30)
    from pydicom import dcmread
    from pydicom.pixels import pixel_array

    assert found.text == "Slice 30 of 30 of image 1."
    assert (found.images[0].pixels == pixel_array(dcmread(pydicom_frames), index=29, decoding_plugin="pillow")).all()


@pytest.fixture
def pydicom_frames() -> Path:
    import pydicom

    return Path(pydicom.__file__).parent / "data/test_files/examples_ybr_color.dcm"


async def test_a_chain_that_begins_with_a_slice_is_made_again_bit_by_bit(
    store: ImageStore, brain: MedicalImage
) -> None:
    steps = [
        ("show_slice", {"image": 1, "slice": 9}),
        ("zoom_in", {"image": 2, "box": [100, 100, 900, 900]}),
        ("reslice", {"image": 1, "plane": "sagittal", "slice": 12}),
        ("zoom_in", {"image": 4, "box": [0, 0, 999, 999]}),
        ("maximum_intensity_projection", {"image": 1, "plane": "coronal", "first": 3, "last": 30}),
        ("zoom_in", {"image": 1, "box": [0, 0, 999, 999]}),
    ]
    images = [store.put(brain)]
    for name, arguments in steps:
        (result,) = await Toolbox(load_tools()).run([ToolCall(name=name, arguments=arguments)], images, store)
        assert result.status == "ok", result.text
        images += result.images
    for image_id in images[1:]:
        kept = ImageStore(store.folder).get(image_id)
        assert kept.provenance is not None
        assert kept.provenance.source == brain.id
        again = remake(kept.provenance, {brain.id: ImageStore(store.folder).get(brain.id)}.__getitem__)
        assert again.pixels.tobytes() == kept.pixels.tobytes()
        assert (again.id, again.provenance) == (image_id, kept.provenance)
    sections = [store.get(image).origin().section for image in images[1:]]
    assert [str(each) for each in sections] == [
        "slice 9",
        "slice 9",
        "sagittal slice 12",
        "sagittal slice 12",
        "coronal slices 3 to 30",
        "slice 13",
    ]
