"""Modules are changed right after their first import, once."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from agent.serving.confined.after_import import watch

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a module that can be imported during the test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())

    def written(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        importlib.invalidate_caches()

    return written


def test_a_change_sees_the_whole_module_and_is_seen_by_whoever_imports_from_it(write: Write) -> None:
    write("watched_one.py", "first = 1\nlast = 2\n")
    write("importer_one.py", "from watched_one import last\n")
    seen: list[dict[str, int]] = []

    def change(module: ModuleType) -> None:
        seen.append({"first": module.first, "last": module.last})
        module.last = 20

    watch({"watched_one": change})
    assert seen == []
    assert importlib.import_module("importer_one").last == 20
    assert seen == [{"first": 1, "last": 2}]


def test_a_change_is_made_once(write: Write) -> None:
    write("watched_two.py", "")
    seen: list[ModuleType] = []
    watch({"watched_two": seen.append})
    first = importlib.import_module("watched_two")
    assert importlib.import_module("watched_two") is first
    del sys.modules["watched_two"]
    importlib.import_module("watched_two")
    assert seen == [first]


def test_a_module_in_a_package_and_no_other(write: Write) -> None:
    write("watched_three/__init__.py", "")
    write("watched_three/inner.py", "")
    write("watched_three/other.py", "")
    seen: list[str] = []
    watch({"watched_three.inner": lambda module: seen.append(module.__name__)})
    importlib.import_module("watched_three.other")
    assert seen == []
    importlib.import_module("watched_three.inner")
    assert seen == ["watched_three.inner"]


def test_what_is_not_there_is_not_found(write: Write) -> None:
    watch({"watched_nowhere": lambda _: None})
    with pytest.raises(ModuleNotFoundError, match="watched_nowhere"):
        importlib.import_module("watched_nowhere")


def test_a_module_that_fails_is_not_changed(write: Write) -> None:
    write("watched_broken.py", "raise RuntimeError('broken')\n")
    seen: list[ModuleType] = []
    watch({"watched_broken": seen.append})
    with pytest.raises(RuntimeError, match="broken"):
        importlib.import_module("watched_broken")
    assert seen == []
