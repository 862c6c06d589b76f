"""What a policy reads after a wrong call: what was got, what is expected, how to mend it."""

from typing import Annotated

import pytest
from langchain_core.tools import tool
from pydantic import Field

from tools.errors import ToolRetry
from tools.registry import load_tools
from tools.run.validation import validated_arguments
from tools.signature import arguments_schema
from tools.toolbox import Toolbox, ToolCall

ZOOM_EXAMPLE = 'Example: {"name": "zoom_in", "arguments": {"image": 1, "box": [120, 340, 420, 610]}}'
BOX = "[x1, y1, x2, y2] with integers 0-999"


@pytest.fixture
def box() -> Toolbox:
    return Toolbox(load_tools(["zoom_in", "window_level", "measure_distance", "mark_regions"]))


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        (
            "zoom",
            {},
            'Unknown tool "zoom". Did you mean zoom_in? '
            "The tools are: zoom_in, window_level, measure_distance, mark_regions.",
        ),
        ("xyz", {}, 'Unknown tool "xyz". The tools are: zoom_in, window_level, measure_distance, mark_regions.'),
        ("zoom_in", {"image": 1}, f"zoom_in: argument box is missing, expected {BOX}. {ZOOM_EXAMPLE}"),
        ("zoom_in", {"image": 1, "box": [1, 2, 3]}, f"zoom_in: got box [1, 2, 3], expected {BOX}. {ZOOM_EXAMPLE}"),
        (
            "zoom_in",
            {"image": 1, "box": [0, 0, 1001, 9]},
            f"zoom_in: got box [0, 0, 1001, 9], expected {BOX}. {ZOOM_EXAMPLE}",
        ),
        (
            "zoom_in",
            {"image": 1, "box": [-1, 0, 9, 9]},
            f"zoom_in: got box [-1, 0, 9, 9], expected {BOX}. {ZOOM_EXAMPLE}",
        ),
        (
            "zoom_in",
            {"image": 1, "box": [0.5, 0, 9, 9]},
            f"zoom_in: got box [0.5, 0, 9, 9], expected {BOX}. {ZOOM_EXAMPLE}",
        ),
        ("zoom_in", {"image": 1, "box": None}, f"zoom_in: got box null, expected {BOX}. {ZOOM_EXAMPLE}"),
        (
            "zoom_in",
            {"image": "one", "box": [0, 0, 9, 9]},
            f'zoom_in: got image "one", expected int, at least 1. {ZOOM_EXAMPLE}',
        ),
        (
            "zoom_in",
            {"image": 1, "bbox": [0, 0, 9, 9]},
            f'zoom_in: argument box is missing, expected {BOX}; got an unknown argument "bbox", expected image, box, '
            f"margin, size. {ZOOM_EXAMPLE}",
        ),
        ("zoom_in", {"image": 3, "box": [0, 0, 9, 9]}, "zoom_in: got image 3, but the images are 1 to 2."),
        (
            "window_level",
            {"image": 1, "preset": "lungs"},
            'window_level: got preset "lungs", expected "lung" | "bone" | "soft_tissue" | "brain" | "liver" | '
            '"mediastinum". Example: {"name": "window_level", "arguments": {"image": 1, "centre": 40, "width": 400}}',
        ),
    ],
)
def test_messages(box: Toolbox, name: str, arguments: dict, said: str) -> None:
    with pytest.raises(ToolRetry) as error:
        box.validate(ToolCall(name=name, arguments=arguments), image_count=2)
    assert str(error.value) == said


def test_a_thousand_is_the_last_coordinate_too(box: Toolbox) -> None:
    zoom = load_tools(["zoom_in"])[0]
    call = ToolCall(name="zoom_in", arguments={"image": 1, "box": [0, 1000, 999, 1000]})
    assert validated_arguments(zoom, call, 1)["box"] == [0, 999, 999, 999]
    assert arguments_schema(zoom)["properties"]["box"]["items"] == {"type": "integer", "minimum": 0, "maximum": 999}


def test_image_numbers_run_from_1(box: Toolbox) -> None:
    box.validate(ToolCall(name="zoom_in", arguments={"image": 2, "box": [0, 0, 9, 9]}), image_count=2)
    for number in (0, -1):
        with pytest.raises(ToolRetry, match=f"got image {number}, expected int, at least 1"):
            box.validate(ToolCall(name="zoom_in", arguments={"image": number, "box": [0, 0, 9, 9]}), image_count=2)


@tool
def plain(
    count: Annotated[int, Field(ge=1, le=5)],
    share: Annotated[float, Field(gt=0, lt=1)] | None = None,
    names: Annotated[list[str], Field(max_length=2)] = [],  # noqa: B006
) -> str:
    """A plain LangChain tool."""
    return "done"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "argument count is missing, expected int, at least 1 and at most 5"),
        ({"count": 6}, "got count 6, expected int, at least 1 and at most 5"),
        ({"count": "few"}, 'got count "few", expected int, at least 1 and at most 5'),
        ({"count": 1, "share": 1.0}, "got share 1.0, expected float, more than 0 and less than 1"),
        ({"count": 1, "names": ["a", "b", "c"]}, 'got names ["a", "b", "c"], expected [str, ...], at most 2 entries'),
        ({"count": 1, "cuont": 2}, 'got an unknown argument "cuont", expected count, share, names'),
    ],
)
def test_a_plain_langchain_tool_is_validated_as_well(arguments: dict, said: str) -> None:
    with pytest.raises(ToolRetry) as error:
        Toolbox([plain]).validate(ToolCall(name="plain", arguments=arguments), image_count=0)
    assert str(error.value) == f'plain: {said}. Example: {{"name": "plain", "arguments": {{"count": 1}}}}'


def test_a_long_wrong_value_is_cut_short(box: Toolbox) -> None:
    with pytest.raises(ToolRetry) as error:
        box.validate(ToolCall(name="zoom_in", arguments={"image": "x" * 10_000, "box": [[[]]] * 999}), image_count=1)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e400, 10**30, {"a": [1]}, [], "", "\ud800"])
def test_any_json_value_gets_an_answer(box: Toolbox, value) -> None:
    for name in box.names:
        for argument in ("image", "box", "start", "centre", "boxes", value if isinstance(value, str) else "x"):
            with pytest.raises(ToolRetry):
                box.validate(ToolCall(name=name, arguments={argument: value}), image_count=1)
