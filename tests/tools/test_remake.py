"""A derived image can be made again from its provenance, bit by bit, also after years in a store."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.errors import ImageError, ToolFailed
from tools.evidence import Evidence
from tools.gallery.samples import SAMPLES, sample_image
from tools.images.facts import Facts
from tools.images.image import MedicalImage
from tools.images.pixels import greys
from tools.images.provenance import Provenance
from tools.images.store import ImageStore
from tools.images.volume import Volume
from tools.medical_tool import MedicalTool, medical_tool
from tools.registry import load_tools, register
from tools.remake import remake
from tools.run.validation import validated_arguments
from tools.signature import example_call
from tools.toolbox import Toolbox, ToolCall

STEPS = [
    ("window_level", {"image": 1, "centre": 200, "width": 3000}),
    ("zoom_in", {"image": 2, "box": [100, 100, 820, 900]}),
    ("mark_regions", {"image": 3, "boxes": [[100, 300, 700, 800]], "labels": ["nodule"]}),
    ("zoom_in", {"image": 4, "box": [600, 500, 50, 40]}),
]


async def chain(store: ImageStore, original: MedicalImage) -> list[str]:
    images = [store.put(original)]
    for name, arguments in STEPS:
        (result,) = await Toolbox(load_tools()).run([ToolCall(name=name, arguments=arguments)], images, store)
        assert result.status == "ok", result.text
        images += result.images
    return images


async def test_the_same_bits_from_the_original_alone(store: ImageStore, ct: MedicalImage) -> None:
    for image_id in (await chain(store, ct))[1:]:
        stored = ImageStore(store.folder).get(image_id)
        assert stored.provenance is not None
        again = remake(stored.provenance, {ct.id: ct}.__getitem__)
        assert again.pixels.tobytes() == stored.pixels.tobytes()
        assert again.id == image_id
        assert again.provenance == stored.provenance


async def test_the_chain_tells_every_step_and_where_in_the_original_it_ends(
    store: ImageStore, ct: MedicalImage
) -> None:
    images = await chain(store, ct)
    last = store.get(images[-1]).provenance
    assert last is not None
    assert last.source == ct.id
    assert last.window == (200.0, 3000.0)
    assert [each.name for each in last.operations] == [name for name, _ in STEPS]
    assert [each.parameters["image"] for each in last.operations] == images[:-1]
    # image 2 -> 3: x 100..820 of 64 px = 6.41..52.53, 46 wide; y 100..900 of 48 px = 4.80..43.24, 38 high
    # square of 46: left round((6.41 + 52.53 - 46) / 2) = 6, top round((4.80 + 43.24 - 46) / 2) = 1 -> (6, 1, 52, 47)
    assert store.get(images[2]).origin().box == (6.0, 1.0, 52.0, 47.0)
    # image 4 -> 5: of 46 px, x 50..600 = 2.30..27.63, y 40..500 = 1.84..23.02: under 32, so a square of 32
    # left round((2.30 + 27.63 - 32) / 2) = -1 -> 0, top round((1.84 + 23.02 - 32) / 2) = -4 -> 0; + (6, 1)
    assert last.box == (6.0, 1.0, 38.0, 33.0)


async def test_another_version_of_a_tool_is_not_trusted(store: ImageStore, ct: MedicalImage) -> None:
    made = store.get((await chain(store, ct))[1]).provenance
    assert made is not None
    changed = replace(made, operations=(replace(made.operations[0], version="0.9"),))
    with pytest.raises(ImageError, match=r"window_level version 0\.9.*there is version 2"):
        remake(changed, store.get)
    unknown = replace(made, operations=(replace(made.operations[0], name="gone"),))
    with pytest.raises(ImageError, match="there is none"):
        remake(unknown, store.get)


# Every registered tool at the end of a chain of others, made again from the originals alone.

row, column = np.mgrid[0:120, 0:160]
BLOBS = ((np.sin(row / 9.0) * np.cos(column / 11.0) > 0.3) * 120 + 60).astype(np.uint8)
BLOBS = BLOBS + np.random.default_rng(0).integers(0, 12, BLOBS.shape, dtype=np.uint8)
PICTURE = MedicalImage(np.dstack([BLOBS // 2, BLOBS // 4, BLOBS]))
OTHER = MedicalImage(np.dstack([np.roll(BLOBS, 5, 0) // 3, BLOBS // 4, BLOBS]))
DIRECTIONS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
VOXELS = np.stack([np.roll(BLOBS, each, 1) for each in range(6)]).astype(np.int16) * 10
VOLUME = MedicalImage.of_volume(Volume(VOXELS, 3.0, DIRECTIONS), (0.5, 0.5), facts=Facts("CT", "HU"))
ORIGINALS = {each.id: each for each in (PICTURE, OTHER, VOLUME)}

TEXT_ONLY = {"image_information", "measure_distance"}
"""Tools that show nothing."""
WITH_TEXT = {"read_text", "blank_text"}
"""Tools that read: their own tests make them again, because the reader takes seconds."""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "locate_objects": {"colour": "bright"},
    "overlay_mask": {"level": 1},
    "rotate_flip": {"degrees": 270, "flip": "left_right"},
    "reslice": {"slice": 3},
    "show_slice": {"slice": 2},
    "volume_of_region": {"first": 2, "last": 4, "low": 1000, "high": 3000},
    "window_level": {"centre": 100, "width": 100},
}
DRAWING_TOOLS = [
    each
    for each in load_tools()
    if isinstance(each, MedicalTool)
    and str(getattr(each.func, "__module__", "")).startswith("tools.")
    and not each.needs
    and each.name not in TEXT_ONLY | WITH_TEXT
]


def applied(tool: MedicalTool, images: Sequence[MedicalImage], **arguments: Any) -> MedicalImage:
    """What the tool shows for its own example call, with these arguments."""
    call = ToolCall(**json.loads(example_call(tool)))
    call = call.model_copy(update={"arguments": call.arguments | ARGUMENTS.get(tool.name, {}) | arguments})
    numbers = {name: min(number, len(images)) for number, name in enumerate(tool.image_parameters, 1)}
    call = call.model_copy(update={"arguments": call.arguments | numbers})
    return tool.apply(validated_arguments(tool, call, len(images)), images).images[0]


def brightest(image: MedicalImage) -> list[int]:
    """The point of its brightest pixel, as a policy writes it."""
    values = greys(image)
    row, column = divmod(int(values.argmax()), image.width)
    return [round((column + 0.5) / image.width * 999), round((row + 0.5) / image.height * 999)]


def a_tool(name: str) -> MedicalTool:
    (tool,) = load_tools([name])
    assert isinstance(tool, MedicalTool)
    return tool


def starts(tool: MedicalTool, colour: bool) -> list[MedicalImage]:
    """What a tool is applied to in the middle of a chain: two views of their own descents, or a volume."""
    if tool.family == "volume":
        return [VOLUME]
    if colour:
        first = applied(a_tool("zoom_in"), [PICTURE], box=[0, 0, 600, 800])
        return [first, applied(a_tool("rotate_flip"), [applied(a_tool("zoom_in"), [OTHER], box=[0, 0, 600, 800])])]
    first = applied(a_tool("reslice"), [VOLUME], plane="axial", slice=3)
    return [first, applied(a_tool("sharpen"), [applied(a_tool("show_slice"), [VOLUME])])]


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "slice"])
@pytest.mark.parametrize("tool", DRAWING_TOOLS, ids=lambda tool: tool.name)
def test_every_tools_image_is_made_again_from_the_originals_alone(tool: MedicalTool, colour: bool) -> None:
    images = starts(tool, colour)
    chosen = {"point": brightest(images[0])} if tool.name == "segment_at" else {}
    try:
        made = applied(tool, images, **chosen)
    except ToolFailed as error:
        assert "is grey" in str(error)
        return
    after = applied(a_tool("zoom_in"), [made], box=[100, 100, 700, 700], size=100)
    for image in (made, after):
        told = Provenance.from_dict(json.loads(json.dumps(image.origin().to_dict())))
        again = remake(told, ORIGINALS.__getitem__)
        assert again.measured.tobytes() == image.measured.tobytes()
        assert (again.id, again.provenance) == (image.id, image.provenance)
        steps = [each.name for each in told.operations]
        assert steps.count(tool.name) >= 1
        assert set(ORIGINALS) >= {panel.source for panel in told.panels}


def test_two_descents_meet_and_no_step_is_told_twice() -> None:
    first = applied(a_tool("zoom_in"), [PICTURE], box=[0, 0, 500, 500])
    second = applied(a_tool("invert"), [first])
    both = applied(a_tool("difference_map"), [first, second])
    again = applied(a_tool("difference_map"), [both, second])
    steps = [each.name for each in again.origin().operations]
    assert steps == ["zoom_in", "invert", "difference_map", "difference_map"]
    assert remake(again.origin(), {PICTURE.id: PICTURE}.__getitem__).id == again.id


def test_one_of_several_images_is_made_again() -> None:
    @medical_tool(family="test")
    def halves(image: MedicalImage) -> Evidence:
        """Show both halves."""
        middle, width, height = image.width // 2, image.width, image.height
        return Evidence("Two.", (image.crop((0, 0, middle, height)), image.crop((middle, 0, width, height))))

    register(halves)
    _, right = halves.apply({"image": 1}, [PICTURE]).images
    assert remake(right.origin(), {PICTURE.id: PICTURE}.__getitem__).id == right.id


SAMPLED = [each for each in load_tools() if isinstance(each, MedicalTool) and each.name in SAMPLES]


@pytest.mark.parametrize("tool", SAMPLED, ids=lambda tool: tool.name)
def test_on_real_images_too(tool: MedicalTool, data: Path) -> None:
    sample = SAMPLES[tool.name]
    originals = [sample_image(name, data) for name in sample.images]
    by_id = {each.id: each for each in originals}
    numbers = {name: min(number, len(originals)) for number, name in enumerate(tool.image_parameters, 1)}
    call = ToolCall(name=tool.name, arguments={**numbers, **sample.arguments})
    found = tool.apply(validated_arguments(tool, call, len(originals)), originals)
    if tool.name in TEXT_ONLY:
        assert found.images == ()
    for image in found.images:
        told = Provenance.from_dict(json.loads(json.dumps(image.origin().to_dict())))
        # a sample may be a part of a file, or made by a tool: the steps that came before are done again with it
        made_before = {told.source: by_id.get(told.source, originals[0])}
        again = remake(told, lambda wanted, known={**made_before, **by_id}: known[wanted])
        assert again.measured.tobytes() == image.measured.tobytes()
        assert again.id == image.id
