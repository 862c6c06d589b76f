"""The registry: tools by name and family, third parties' tools, no two of one name."""

import sys
import types
from importlib.metadata import EntryPoint

import pytest
from langchain_core.tools import tool

import tools.registry as registry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool
from tools.registry import load_tools

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


def test_installed_packages_add_theirs_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    @tool
    def their_tool(x: int) -> str:
        """A plain LangChain tool of somebody else."""
        return str(x)

    module = types.ModuleType("their_package")
    module.their_tool = their_tool  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "their_package", module)
    entry = EntryPoint("their_tool", "their_package:their_tool", "medvista.tools")
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry] if group == "medvista.tools" else [])
    registry._discover.cache_clear()
    assert load_tools(["their_tool"]) == [their_tool]
    assert their_tool in load_tools(["other"])
