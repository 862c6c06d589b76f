"""Private files: their modes under an open umask, and what stays of a file that could not be written."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.private_files import WriteError, private_folder, private_opener, write_private

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_we_make_is_the_owners_alone(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "made" / "below")
    write_private(folder / "whole", b"1")
    with open(folder / "appended", "ab", opener=private_opener) as file:
        file.write(b"2")
    assert [mode(each) for each in (folder.parent, folder)] == [0o700] * 2
    assert [mode(each) for each in (folder / "whole", folder / "appended")] == [0o600] * 2


def test_a_folder_that_was_there_keeps_its_mode_and_a_file_of_ours_loses_it(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(0o775)
    old = shared / "old"
    old.touch(0o664)
    assert private_folder(shared) == shared
    with open(old, "ab", opener=private_opener):
        pass
    assert (mode(shared), mode(old)) == (0o775, 0o600)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="file"):
        private_folder(tmp_path / "file")
    with pytest.raises(WriteError, match="file"):
        private_folder(tmp_path / "file" / "below")


LIMITED = """
import resource, signal, sys
from tools.private_files import WriteError, write_private
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_private(sys.argv[1], b"x" * 5000)
except WriteError as error:
    print(error)
"""


def test_a_write_that_is_cut_short_leaves_what_was_there(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"before")
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "file")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("Got no room to write ") and "Make room there" in run.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"
