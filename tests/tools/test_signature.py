"""The lines of the prompt, letter by letter: a policy is trained on them."""

import json
from typing import Literal

from langchain_core.tools import StructuredTool, tool

from tools.registry import load_tools
from tools.signature import example_call, first_sentence, prompt_line
from tools.toolbox import Toolbox, ToolCall


def test_the_prompt_section() -> None:
    box = Toolbox(load_tools(["zoom_in", "window_level", "measure_distance", "mark_regions"]))
    assert box.prompt_section() == (
        "- zoom_in(image: int, box: [x1, y1, x2, y2], margin: int = 0, size: int = null): "
        "Look closer at a box of an image.\n"
        "- window_level(image: int, centre: float = null, width: float = null, "
        'preset: "lung" | "bone" | "soft_tissue" | "brain" | "liver" | "mediastinum" = null): '
        "Show an image with another window centre and width.\n"
        "- measure_distance(image: int, start: [x, y], end: [x, y]): "
        "Measure the distance between two points of an image.\n"
        "- mark_regions(image: int, boxes: [[x1, y1, x2, y2], ...], labels: [str, ...]): "
        "Draw boxes with labels on an image."
    )


def test_a_plain_langchain_tool() -> None:
    @tool
    def grade(name: str, scale: float = 0.5, kind: Literal["a", "b"] = "a", deep: bool = True) -> str:
        """Grade it.

        More that the policy need not read.
        """
        return name

    assert prompt_line(grade) == (
        '- grade(name: str, scale: float = 0.5, kind: "a" | "b" = "a", deep: bool = true): Grade it.'
    )


def test_a_remote_tool_with_a_bare_json_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "of": {}}, "required": ["n"]}
    remote = StructuredTool(name="remote", description="Far away", args_schema=schema, func=lambda **_: "x")
    assert prompt_line(remote) == "- remote(n: int, of: any = null): Far away"


def test_first_sentence() -> None:
    assert first_sentence("One line\n  that goes on. Then another.") == "One line that goes on."
    assert first_sentence("Values of 0.5 mm stay. Next.") == "Values of 0.5 mm stay."
    assert first_sentence("No stop\n\nNext paragraph.") == "No stop"


def test_the_example_of_every_tool_is_a_call_that_it_accepts() -> None:
    tools = load_tools(["zoom_in", "window_level", "measure_distance", "mark_regions"])
    box = Toolbox(tools)
    for each in tools:
        box.validate(ToolCall(**json.loads(example_call(each))), image_count=1)
    assert example_call(tools[0]) == '{"name": "zoom_in", "arguments": {"image": 1, "box": [120, 340, 420, 610]}}'
    assert json.loads(example_call(tools[2]))["arguments"] == {"image": 1, "start": [120, 340], "end": [420, 610]}
