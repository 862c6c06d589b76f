"""The stamp: equal for equal inputs, different for any change, absent until a set-up ends well."""

import hashlib
from pathlib import Path

import pytest

from setup import stamp


def test_the_fingerprint_is_over_paths_contents_and_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("ray==1\n")
    Path("b.txt").write_text("x")
    expected = hashlib.sha256(b"a.txt 7\nray==1\nb.txt 1\nxcpu\n3.11.7\n").hexdigest()
    assert stamp.fingerprint([Path("b.txt"), Path("a.txt")], ["cpu", "3.11.7"]) == expected
    assert stamp.fingerprint([Path("a.txt"), Path("b.txt")], ["gpu", "3.11.7"]) != expected
    Path("a.txt").write_text("ray==2\n")
    assert stamp.fingerprint([Path("a.txt"), Path("b.txt")], ["cpu", "3.11.7"]) != expected


def test_only_the_written_fingerprint_is_current(tmp_path: Path) -> None:
    file = tmp_path / "stamp"
    assert not stamp.is_current("abc", file)
    stamp.write("abc", file)
    assert stamp.is_current("abc", file)
    assert not stamp.is_current("abd", file)
