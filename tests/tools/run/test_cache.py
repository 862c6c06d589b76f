"""The same call on the same images is run once; anything else, and any failure, is run again."""

import asyncio
import threading
from pathlib import Path

import numpy as np
from langchain_core.tools import tool

from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.medical_tool import MedicalTool, medical_tool
from tools.run.cache import Cache
from tools.toolbox import Toolbox, ToolCall, ToolResult

Ran = list[tuple[str, int]]


def corner_of(ran: Ran, version: str = "1") -> MedicalTool:
    def corner(image: MedicalImage, side: int = 8) -> Evidence:
        """Show a corner."""
        ran.append((image.id, side))
        return Evidence(f"Corner of image {image.number}.", images=(image.crop((0, 0, side, side)),))

    return medical_tool(version=version)(corner)


async def run(box: Toolbox, store: ImageStore, images: list[str], **arguments: object) -> ToolResult:
    (result,) = await box.run([ToolCall(name=box.names[0], arguments=arguments)], images, store)
    return result


async def test_what_is_the_same_call(store: ImageStore, noise: MedicalImage, tmp_path: Path) -> None:
    ran: Ran = []
    cache = Cache()
    box = Toolbox([corner_of(ran)], wrappers=[cache])
    first, second = store.put(noise), store.put(noise.crop((1, 1, 99, 99)))
    one = await run(box, store, [first], image=1)
    for images in ([first], [first, second]):  # another image of the conversation is not looked at
        assert (await run(box, store, images, image=1, side=8)).model_dump(exclude={"seconds", "call"}) == (
            one.model_dump(exclude={"seconds", "call"})
        )
    assert ran == [(first, 8)]
    await run(box, store, [first], image=1, side=9)
    await run(box, store, [second], image=1)
    assert (await run(box, store, [second, first], image=2)).text == "Corner of image 2."
    await run(Toolbox([corner_of(ran, version="2")], wrappers=[cache]), store, [first], image=1)
    elsewhere = ImageStore(tmp_path / "elsewhere")
    elsewhere.put(noise)
    again = await run(box, elsewhere, [first], image=1)
    assert again.images == one.images and again.images[0] in elsewhere
    assert ran == [(first, 8), (first, 9), (second, 8), (first, 8), (first, 8), (first, 8)]


async def test_an_image_that_was_lost_is_made_again(store: ImageStore, noise: MedicalImage) -> None:
    ran: Ran = []
    box = Toolbox([corner_of(ran)], wrappers=[Cache()])
    (made,) = (await run(box, store, [store.put(noise)], image=1)).images
    store.path(made).unlink()
    assert (await run(box, store, [noise.id], image=1)).images == (made,)
    assert made in store and len(ran) == 2


async def test_failures_and_tools_that_promise_nothing_are_not_remembered(
    store: ImageStore, noise: MedicalImage
) -> None:
    ran: list[str] = []

    @medical_tool
    def fail(image: MedicalImage) -> Evidence:
        """Fail once."""
        ran.append("fail")
        if len(ran) == 1:
            raise ToolFailed("Not yet.")
        return Evidence("now")

    @medical_tool(version="")
    def throw_dice(image: MedicalImage) -> Evidence:
        """Throw dice."""
        ran.append("dice")
        return Evidence("4")

    @tool
    def search(words: str) -> str:
        """Search the web."""
        ran.append("search")
        return "found"

    cache = Cache()
    box = Toolbox([fail, throw_dice, search], wrappers=[cache])
    image = store.put(noise)
    statuses: list[str] = []
    for name, arguments in (("fail", {"image": 1}), ("throw_dice", {"image": 1}), ("search", {"words": "a"})):
        for _ in range(2):
            (result,) = await box.run([ToolCall(name=name, arguments=arguments)], [image], store)
            statuses.append(result.status)
    assert statuses == ["failed", "ok", "ok", "ok", "ok", "ok"]
    assert ran == ["fail", "fail", "dice", "dice", "search", "search"]


async def test_it_forgets_what_was_used_least_recently(store: ImageStore) -> None:
    ran: Ran = []
    cache = Cache(most_bytes=20_000)
    box = Toolbox([corner_of(ran)], wrappers=[cache])
    image = store.put(MedicalImage(np.arange(40_000, dtype=np.uint16).reshape(200, 200)))
    for side in (60, 61, 60, 62, 60, 61):  # 7,200 bytes and more each, so two fit
        await run(box, store, [image], image=1, side=side)
        assert cache.bytes <= 20_000
    assert [side for _, side in ran] == [60, 61, 62, 61]
    await run(box, store, [image], image=1, side=150)  # too large for all of it: nothing goes for its sake
    await run(box, store, [image], image=1, side=61)
    assert [side for _, side in ran] == [60, 61, 62, 61, 150]


def test_threads_and_loops_may_share_it(store: ImageStore, noise: MedicalImage) -> None:
    ran: Ran = []
    cache = Cache(most_bytes=3_000)
    box = Toolbox([corner_of(ran)], wrappers=[cache])
    image, wrong = store.put(noise), []

    async def many(seed: int) -> None:
        for side in np.random.default_rng(seed).integers(8, 24, 40):
            result = await run(box, store, [image], image=1, side=int(side))
            if result.status != "ok" or store.get(result.images[0]).size != (side, side):
                wrong.append(result)

    threads = [threading.Thread(target=lambda seed=seed: asyncio.run(many(seed))) for seed in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
    assert 0 < cache.bytes <= 3_000
