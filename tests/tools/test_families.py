"""Every tool of these families, called by its own example: deterministic, remade bit by bit, and never a crash."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.geometry import SCALE
from tools.images.image import MedicalImage
from tools.medical_tool import MedicalTool
from tools.registry import load_tools
from tools.remake import remake
from tools.run.execution import MOST_TEXT
from tools.run.validation import ToolCall, validated_arguments
from tools.signature import example_call, prompt_line

FAMILIES = ["look", "appearance", "measure", "find", "draw"]
TOOLS = [tool for tool in load_tools(FAMILIES) if isinstance(tool, MedicalTool)]

row, column = np.mgrid[0:120, 0:160]
BLOBS = ((np.sin(row / 9.0) * np.cos(column / 11.0) > 0.5) * 120 + 60).astype(np.uint8)
BLOBS = (BLOBS + np.random.default_rng(0).integers(0, 12, BLOBS.shape)).astype(np.uint8)
USUAL = {
    "grey": MedicalImage(BLOBS, spacing=(0.5, 0.4)),
    "colour": MedicalImage(np.dstack([BLOBS // 2, BLOBS // 4, BLOBS])),
    "sixteen bits": MedicalImage(BLOBS.astype(np.uint16) * 200),
    "signed": MedicalImage(BLOBS.astype(np.int16) * 10 - 1000, window=(40, 400)),
    "shares": MedicalImage(BLOBS.astype(np.float32) / 255),
}
HOLES = BLOBS.astype(np.float32)
HOLES[10:20, 10:20], HOLES[0, 0] = np.nan, np.inf
ODD = {
    "one pixel": MedicalImage(np.array([[7]], np.uint8)),
    "one colour pixel": MedicalImage(np.array([[[7, 8, 9]]], np.uint8)),
    "two pixels": MedicalImage(np.array([[0, 65535]], np.uint16)),
    "a thread": MedicalImage(np.arange(300, dtype=np.float32).reshape(300, 1)),
    "tiny": MedicalImage(np.arange(25, dtype=np.int16).reshape(5, 5)),
    "constant": MedicalImage(np.full((64, 64), 9, np.uint8)),
    "constant colour": MedicalImage(np.full((64, 64, 3), 9, np.uint8)),
    "all nan": MedicalImage(np.full((64, 64), np.nan, np.float32)),
    "holes": MedicalImage(HOLES),
    "one bright pixel": MedicalImage(np.eye(1, 4096, 2080, dtype=np.uint8).reshape(64, 64)),
    "huge values": MedicalImage(np.array([[-3e38, 3e38], [0, 1]], np.float32)),
}
WHOLE = [0, 0, SCALE, SCALE]
CORNER = [SCALE - 1, SCALE - 1, SCALE, SCALE]


def call(tool: MedicalTool, images: Sequence[MedicalImage], **arguments: object) -> Evidence:
    """The tool's own example call, with these arguments instead where it has them."""
    example = json.loads(example_call(tool))
    example["arguments"] |= {name: each for name, each in arguments.items() if name in tool.args}
    if tool.name == "rotate_flip":
        example["arguments"]["degrees"] = 90
    if tool.name == "segment_at":
        example["arguments"]["point"] = [5, 117]  # a blob of USUAL
    if tool.name == "window_level":
        example["arguments"] |= {"centre": 100, "width": 100}
    return tool.apply(validated_arguments(tool, ToolCall(**example), len(images)), images)


def test_there_are_as_many_tools_as_promised() -> None:
    assert len(TOOLS) >= 29
    assert {tool.family for tool in TOOLS} == set(FAMILIES)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_its_line_in_the_prompt_is_short(tool: MedicalTool) -> None:
    assert len(prompt_line(tool)) <= 320
    assert tool.version


@pytest.mark.parametrize("name", USUAL)
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_depth_works_and_can_be_made_again(tool: MedicalTool, name: str) -> None:
    image = USUAL[name]
    other = image.crop((0, 0, 120, 90))
    images = [image, other]
    try:
        found = call(tool, images, colour="bright" if tool.name == "locate_objects" else "yellow", level=1)
    except ToolFailed as error:
        assert "is grey" in str(error)
        return
    again = call(tool, images, colour="bright" if tool.name == "locate_objects" else "yellow", level=1)
    assert (again.text, again.regions, again.measurements) == (found.text, found.regions, found.measurements)
    assert found.text and len(found.text) < MOST_TEXT
    by_id = {each.id: each for each in images}
    for made, twice in zip(found.images, again.images, strict=True):
        assert made.id == twice.id
        provenance = made.origin()
        assert provenance.operations[-1].name == tool.name
        assert remake(provenance, by_id.__getitem__).id == made.id


@pytest.mark.parametrize("box", [WHOLE, CORNER], ids=["whole", "corner"])
@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_odd_images_are_worked_on_or_refused(tool: MedicalTool, name: str, box: list[int]) -> None:
    image = ODD[name]
    try:
        found = call(
            tool, [image, image], box=box, other_box=box, colour="purple" if tool.name == "locate_objects" else "blue"
        )
    except (ToolRetry, ToolFailed) as error:
        assert str(error).startswith(tool.name)
        return
    assert all(np.isfinite(each.value) for each in found.measurements)
