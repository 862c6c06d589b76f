"""The store: each image once, bit by bit, whoever else writes, whatever happens to the files."""

import json
import pickle
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.images.provenance import Operation
from tools.images.store import ImageStore, StoredImages

CHANCE = np.random.default_rng(5)
KINDS = {
    "8-bit": CHANCE.integers(0, 256, (20, 30), dtype=np.uint8),
    "colour": CHANCE.integers(0, 256, (20, 30, 3), dtype=np.uint8),
    "16-bit": CHANCE.integers(0, 65536, (20, 30), dtype=np.uint16),
    "signed": CHANCE.integers(-32768, 32768, (20, 30), dtype=np.int16),
    "float": CHANCE.normal(size=(20, 30)).astype(np.float32),
    "16-bit colour": CHANCE.integers(0, 65536, (20, 30, 3), dtype=np.uint16),
    "float colour": CHANCE.normal(size=(20, 30, 3)).astype(np.float32),
    "one pixel": np.array([[-32768]], np.int16),
}


def reread(store: ImageStore) -> ImageStore:
    """The same folder, nothing in memory."""
    return ImageStore(store.folder)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_pixels_comes_back_bit_by_bit(kind: str, store: ImageStore) -> None:
    image = MedicalImage(KINDS[kind], spacing=(0.7, 0.1 + 0.2), window=(40.0, 400.0))
    again = reread(store).get(store.put(image))
    assert again.pixels.dtype == image.pixels.dtype
    assert (again.pixels == image.pixels).all()
    assert (again.spacing, again.window, again.id) == (image.spacing, image.window, image.id)


def test_files_lie_under_the_id_and_the_picture_opens_elsewhere(store: ImageStore, noise: MedicalImage) -> None:
    from PIL import Image

    image_id = store.put(noise)
    assert store.path(image_id) == store.folder / image_id[:2] / f"{image_id}.png"
    assert (np.asarray(Image.open(store.path(image_id))) == noise.pixels).all()
    assert {path.name for path in (store.folder / image_id[:2]).iterdir()} == {f"{image_id}.png", f"{image_id}.json"}


def test_provenance_is_kept_and_file_names_are_not(store: ImageStore, noise: MedicalImage, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(noise.pixels).save(tmp_path / "DOE_JOHN.png")
    view = load_image(tmp_path / "DOE_JOHN.png").crop((10, 20, 60, 70))
    view = view.with_provenance(view.origin().made_by(Operation("zoom_in", "1", {"box": [1, 2, 3, 4]}), ()))
    again = reread(store).get(store.put(view))
    assert again.provenance == view.provenance
    assert all(b"DOE" not in path.read_bytes() for path in store.folder.rglob("*.*"))


def test_an_image_is_written_once(store: ImageStore, noise: MedicalImage) -> None:
    image_id = store.put(noise)
    written = store.path(image_id).stat().st_mtime_ns
    assert image_id in store
    assert reread(store).put(MedicalImage(noise.pixels)) == image_id
    assert store.path(image_id).stat().st_mtime_ns == written


def test_what_was_read_lately_is_not_read_again(store: ImageStore, noise: MedicalImage) -> None:
    image_id = store.put(noise)
    shutil.rmtree(store.folder)
    assert store.get(image_id).id == image_id


def test_memory_is_bounded(tmp_path: Path) -> None:
    store = ImageStore(tmp_path, memory_bytes=1000)
    first, second, third = (store.put(MedicalImage(np.full((20, 20), value, np.uint8))) for value in (1, 2, 3))
    shutil.rmtree(tmp_path)
    assert store.get(third).pixels[0, 0] == 3  # 400 bytes each: two fit
    assert store.get(second).pixels[0, 0] == 2
    with pytest.raises(ImageError):
        store.get(first)


@pytest.mark.parametrize("suffix", [".png", ".json"])
@pytest.mark.parametrize("harm", ["emptied", "cut", "garbled"])
def test_a_damaged_file_is_found(store: ImageStore, noise: MedicalImage, suffix: str, harm: str) -> None:
    image_id = store.put(noise.crop((0, 0, 100, 100)))
    path = store.path(image_id).with_suffix(suffix)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {"emptied": b"", "cut": content[:middle], "garbled": content[:middle] + b"9" * 8 + content[middle + 8 :]}[harm]
    )
    with pytest.raises(ImageError, match="Delete them and put the image again"):
        reread(store).get(image_id)


def test_another_picture_in_its_place_is_found(store: ImageStore, noise: MedicalImage) -> None:
    one, other = store.put(noise), store.put(noise.crop((0, 0, 512, 511)))
    shutil.copy(store.path(other), store.path(one))
    with pytest.raises(ImageError, match="damaged"):
        reread(store).get(one)


@pytest.mark.parametrize("fact", ["box", "spacing"])
def test_a_changed_fact_is_found(store: ImageStore, ct: MedicalImage, fact: str) -> None:
    image_id = store.put(ct.crop((0, 0, 40, 40)))
    path = store.path(image_id).with_suffix(".json")
    facts = json.loads(path.read_text())
    (facts["provenance"]["panels"][0]["box"] if fact == "box" else facts["spacing"])[0] = 7.0
    path.write_text(json.dumps(facts))
    with pytest.raises(ImageError, match="damaged"):
        reread(store).get(image_id)


@pytest.mark.parametrize("wrong", ["", "abc", "../../etc/passwd", "A" * 64, "0" * 64])
def test_an_unknown_or_malformed_id(store: ImageStore, wrong: str) -> None:
    assert wrong not in store
    for ask in (store.get, store.path):
        with pytest.raises(ImageError, match="id"):
            ask(wrong)


def test_a_writer_that_was_killed_leaves_nothing_that_counts(store: ImageStore, noise: MedicalImage) -> None:
    image_id = store.put(noise)
    path = store.path(image_id)
    path.with_suffix(".json").unlink()  # killed between picture and facts
    path.write_bytes(b"half a pic")
    assert image_id not in store
    again = reread(store)
    assert again.put(noise) == image_id
    assert (reread(again).get(image_id).pixels == noise.pixels).all()


def test_many_writers_of_the_same_images(store: ImageStore, noise: MedicalImage) -> None:
    images = [noise.crop((0, 0, 100 + each, 100)) for each in range(6)]
    problems: list[BaseException] = []
    start = threading.Barrier(8)

    def write_and_read() -> None:
        try:
            mine = reread(store)
            start.wait()
            for image in images:
                assert reread(store).get(mine.put(image)).id == image.id
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=write_and_read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 2 * len(images)


def test_a_store_can_be_sent_to_another_process(store: ImageStore, noise: MedicalImage) -> None:
    image_id = store.put(noise)
    assert pickle.loads(pickle.dumps(store)).get(image_id).id == image_id


def test_stored_images_are_a_sequence(store: ImageStore, noise: MedicalImage, ct: MedicalImage) -> None:
    images = StoredImages([store.put(noise), store.put(ct)], store)
    assert len(images) == 2
    assert [image.id for image in images] == [noise.id, ct.id]
    assert images[1:][0].id == ct.id
