"""The registry: tools by name and family, third parties' tools, no two of one name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.tools import tool

import tools.registry as registry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool
from tools.registry import load_tools

ROOT = Path(__file__).parents[2]
OURS = ["mark_regions", "measure_distance", "window_level", "zoom_in"]


@medical_tool(family="look")
def look_at_test_registry(image: MedicalImage) -> Evidence:
    """Look at the registry's test."""
    return Evidence("")


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    load_tools()
    monkeypatch.setattr(registry, "_tools", dict(registry._tools))


def test_by_name_in_the_order_asked_each_once() -> None:
    assert [each.name for each in load_tools(["zoom_in", "mark_regions", "zoom_in"])] == ["zoom_in", "mark_regions"]


def test_by_family_and_all() -> None:
    names = [each.name for each in load_tools(["measure", "look"])]
    first_look = next(place for place, name in enumerate(names) if name in ("compare_regions", "look_at_test_registry"))
    assert names == sorted(names[:first_look]) + sorted(names[first_look:])
    assert "measure_distance" in names[:first_look]
    assert {"look_at_test_registry", "zoom_in"} <= set(names[first_look:])
    assert "window_level" not in names
    assert set(OURS) <= {each.name for each in load_tools()}


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"'zoom-in'.*Did you mean zoom_in"):
        load_tools(["zoom-in"])


def test_a_second_tool_of_a_name_is_refused() -> None:
    @tool
    def zoom_in(box: str) -> str:
        """Not ours."""
        return box

    with pytest.raises(ValueError, match=r"tools\.look\.zoom_in.*Give one of them another name"):
        registry.register(zoom_in)


def test_a_cell_that_is_run_again_replaces_its_tool() -> None:
    again = look_at_test_registry.model_copy(update={"version": "2"})
    registry.register(again)
    assert load_tools(["look_at_test_registry"]) == [again]


def test_a_tool_made_inside_a_function_is_not_for_all() -> None:
    @medical_tool
    def secret(image: MedicalImage) -> Evidence:
        """Nobody else's."""
        return Evidence("")

    with pytest.raises(ValueError, match="secret"):
        load_tools(["secret"])


def installed(site: Path, entry_points: str) -> None:
    """A distribution as pip leaves it: a module, and a folder of metadata with entry points."""
    (site / "their_package.py").write_text(
        "from langchain_core.tools import tool\n"
        "from tools import Evidence, MedicalImage\n"
        "from tools.medical_tool import medical_tool\n"
        "@tool\n"
        "def their_tool(x: int) -> str:\n"
        "    'A plain LangChain tool of somebody else.'\n"
        "    return str(x + 1)\n"
        "@medical_tool(family='theirs')\n"
        "def their_width(image: MedicalImage) -> Evidence:\n"
        "    'Say how wide an image is.'\n"
        "    return Evidence(f'{image.width} wide.')\n"
        "answer = 42\n"
    )
    metadata = site / "their_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[medvista.tools]\n{entry_points}\n")


def said(program: str, site: Path) -> str:
    """What a program prints that finds the packages in `site`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    return ended.stdout + ended.stderr.strip().rpartition("\n")[2]


def test_installed_packages_add_theirs_by_entry_point(tmp_path: Path) -> None:
    installed(tmp_path, "one = their_package:their_tool\nall = their_package")
    program = """
import asyncio, tempfile
import numpy as np
from tools import ImageStore, MedicalImage, Toolbox, ToolCall, load_tools
box = Toolbox(load_tools(["their_tool", "theirs"]))
store = ImageStore(tempfile.mkdtemp())
image = store.put(MedicalImage(np.zeros((4, 6), np.uint8)))
calls = [ToolCall(name="their_tool", arguments={"x": 1}), ToolCall(name="their_width", arguments={"image": 1})]
print([each.text for each in asyncio.run(box.run(calls, [image], store))])
"""
    assert said(program, tmp_path) == "['2', '6 wide.']\n"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("one = their_package:nothing", "the package their-package (medvista.tools), which cannot be loaded"),
        (
            "one = their_package:answer",
            "the package their-package (medvista.tools), which is 42; expected a LangChain",
        ),
    ],
)
def test_a_package_whose_entry_point_is_wrong_is_named(tmp_path: Path, entry: str, words: str) -> None:
    installed(tmp_path, entry)
    assert words in said("from tools import load_tools; load_tools()", tmp_path)
