"""A derived image can be made again from its provenance, bit by bit, also after years in a store."""

from dataclasses import replace

import pytest

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.remake import remake
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
    with pytest.raises(ImageError, match=r"window_level version 0\.9.*there is version 1"):
        remake(changed, store.get)
    unknown = replace(made, operations=(replace(made.operations[0], name="gone"),))
    with pytest.raises(ImageError, match="there is none"):
        remake(unknown, store.get)
