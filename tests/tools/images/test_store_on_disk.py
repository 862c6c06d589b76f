"""The store's files: their modes, their sizes, a disk that is full, a folder that may not be written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.images.volume import Volume

ROOT = Path(__file__).parents[3]
PUT = """
import os, resource, signal, sys
import numpy as np
from pathlib import Path
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from PIL import Image
Image.init()
kind = sys.argv[2]
os.chdir(sys.argv[1])  # what lies above may be closed to another user
pixels = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
store = ImageStore("images")
if kind == "limit":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
if kind == "forbidden":
    store.put(MedicalImage(pixels[::-1]))
    for place in (Path(), *Path().rglob("*")):
        place.chmod(0o555 if place.is_dir() else 0o444)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
try:
    for number in range(100):
        pixels = np.roll(pixels, 1) + 1
        store.put(MedicalImage(pixels))
    print("no error")
except OSError as error:
    print(type(error).__name__, error)
print("unfinished", sum(path.name.startswith(".") for path in Path().rglob("*")))
"""


def told(folder: Path, kind: str, *before: str) -> str:
    folder.mkdir(exist_ok=True)
    command = [*before, sys.executable, "-c", PUT, str(folder), kind]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A real one, of 1 MB: images are put until there is no room."""
    mounting = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounting, str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    said = told(tmp_path, "full", *alone)
    assert said.startswith("WriteError Got no room to write ") and "Make room there" in said
    assert said.endswith("unfinished 0\n")


def test_a_file_that_is_cut_short(tmp_path: Path) -> None:
    """By a limit on the size of files, which stops a write in its middle as a full disk does."""
    said = told(tmp_path, "limit")
    assert said.startswith("WriteError Got no room to write ")
    assert said.endswith("unfinished 0\n")


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    said = told(tmp_path / "other's", "forbidden")
    assert said.startswith("WriteError Got a place that may not be written, ") and "Name a folder of yours" in said
    assert said.endswith("unfinished 0\n")


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = ImageStore(tmp_path / "new" / "images")
        store.put(MedicalImage(np.zeros((4, 4), np.uint8)))
        store.put(MedicalImage(np.zeros((4, 4), np.float32)))
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "new").rglob("*")}
    assert modes == {0o700, 0o600} and (tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_a_volume_that_packs_well_is_packed_and_another_is_not(store: ImageStore, dtype: type) -> None:
    mask = np.zeros((16, 256, 256), dtype)
    mask[4:9, 50:90, 60:100] = 1
    noise = np.random.default_rng(0).integers(0, 255, mask.shape).astype(dtype)
    for voxels, suffix in ((mask, ".npz"), (noise, ".npy")):
        image = MedicalImage.of_volume(Volume(voxels, 2.0), (1.0, 1.0))
        path = store.path(store.put(image))
        assert path.suffix == suffix
        assert path.stat().st_size < (mask.nbytes / 50 if suffix == ".npz" else mask.nbytes + 1000)
        again = ImageStore(store.folder).get(image.id)
        assert again.volume is not None and (again.volume.voxels == voxels).all()
        assert not again.volume.voxels.flags.writeable
        for harmed in (path.read_bytes()[:-100], b"", path.read_bytes().replace(b"\x00", b"\x01")):
            path.write_bytes(harmed)
            with pytest.raises(ValueError, match="Delete them and put the image again"):
                ImageStore(store.folder).get(image.id)
