"""The toolbox: calls of a turn run together, and whatever a tool does costs its own call only."""

import asyncio
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException, tool

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence, Measurement, Region
from tools.images.image import MedicalImage
from tools.images.limits import Limits
from tools.images.store import ImageStore
from tools.images.volume import Volume
from tools.look.zoom_in import zoom_in
from tools.medical_tool import medical_tool
from tools.registry import load_tools
from tools.run.wrapper import Invocation, Step, only
from tools.toolbox import Toolbox, ToolCall, ToolResult


def acts(function, name: str = "act") -> BaseTool:
    """A medical tool that does what `function` of an image does."""

    def act(image: MedicalImage) -> Evidence:
        """Act."""
        return function(image)

    act.__name__ = name
    return medical_tool(act)


async def run_one(made: BaseTool, store: ImageStore, deadline_s: float = 5.0, **arguments: object) -> ToolResult:
    image = store.put(MedicalImage(np.zeros((40, 40), np.uint8)))
    call = ToolCall(name=made.name, arguments=arguments or {"image": 1})
    (result,) = await Toolbox([made], deadline_s=deadline_s).run([call], [image], store)
    return result


async def test_a_good_call(store: ImageStore, noise: MedicalImage) -> None:
    call = ToolCall(name="zoom_in", arguments={"image": 2, "box": [120, 340, 420, 610]})
    images = [store.put(noise.crop((0, 0, 50, 50))), store.put(noise)]
    (result,) = await Toolbox(load_tools(["zoom_in"])).run([call], images, store)
    assert (result.call, result.status, result.text) == (call, "ok", "Closer view of image 2.")
    assert result.tool_version == zoom_in.version
    assert 0 < result.seconds < 5
    view = ImageStore(store.folder).get(result.images[0])
    assert (view.pixels == noise.pixels[166:320, 61:215]).all()
    assert result.regions == (Region(image=noise.id, box=(61, 166, 215, 320), image_size=(512, 512)),)
    assert ToolResult.model_validate_json(result.model_dump_json()) == result


async def test_four_calls_of_a_turn_run_at_once(store: ImageStore) -> None:
    together = threading.Barrier(4)  # broken unless all four are inside at the same time

    def wait(image: MedicalImage) -> Evidence:
        together.wait(timeout=5)
        time.sleep(0.1)
        return Evidence("done")

    box = Toolbox([acts(wait)])
    image = store.put(MedicalImage(np.zeros((4, 4), np.uint8)))
    calls = [ToolCall(name="act", arguments={"image": 1})] * 4
    started = time.perf_counter()
    results = await box.run(calls, [image], store)
    assert [each.status for each in results] == ["ok"] * 4
    assert time.perf_counter() - started < 0.3  # one after the other: 0.4


async def test_results_keep_the_order_of_the_calls(store: ImageStore) -> None:
    @tool
    def wait(seconds: float) -> str:
        """Wait."""
        time.sleep(seconds)
        return f"waited {seconds}"

    calls = [ToolCall(name="wait", arguments={"seconds": seconds}) for seconds in (0.2, 0.0, 0.1)]
    results = await Toolbox([wait]).run(calls, [], store)
    assert [each.text for each in results] == ["waited 0.2", "waited 0.0", "waited 0.1"]


async def test_calls_beyond_the_limit_are_sent_back(store: ImageStore) -> None:
    box = Toolbox([acts(lambda image: Evidence("done"))], max_calls=2)
    image = store.put(MedicalImage(np.zeros((4, 4), np.uint8)))
    results = await box.run([ToolCall(name="act", arguments={"image": 1})] * 3, [image], store)
    assert [each.status for each in results] == ["ok", "ok", "retry"]
    assert "at most 2" in results[2].text


async def test_a_wrong_call_costs_itself_only(store: ImageStore, noise: MedicalImage) -> None:
    calls = [
        ToolCall(name="zoomin", arguments={}),
        ToolCall(name="zoom_in", arguments={"image": 7, "box": [0, 0, 9, 9]}),
        ToolCall(name="zoom_in", arguments={"image": 1, "box": [5, 5, 5, 900]}),
        ToolCall(name="zoom_in", arguments={"image": 1, "box": [0, 0, 99, 99]}),
    ]
    results = await Toolbox(load_tools(["zoom_in"])).run(calls, [store.put(noise)], store)
    assert [each.status for each in results] == ["retry", "retry", "retry", "ok"]
    assert "Did you mean zoom_in" in results[0].text
    assert "got image 7" in results[1].text
    assert "no area" in results[2].text


async def test_retry_and_failed_carry_the_tools_own_words(store: ImageStore) -> None:
    def retry(image: MedicalImage) -> Evidence:
        raise ToolRetry("Got 3, expected 4: give 4.")

    def fail(image: MedicalImage) -> Evidence:
        raise ToolFailed("The image is too dark.")

    assert (await run_one(acts(retry), store)).text == "Got 3, expected 4: give 4."
    failed = await run_one(acts(fail), store)
    assert (failed.status, failed.text) == ("failed", "The image is too dark.")


async def test_a_hanging_tool_is_given_up_at_its_deadline_and_nobody_waits(store: ImageStore) -> None:
    released = threading.Event()

    def hang(image: MedicalImage) -> Evidence:
        released.wait(30)
        return Evidence("too late")

    image = store.put(MedicalImage(np.zeros((4, 4), np.uint8)))
    box = Toolbox([acts(hang, "hang"), acts(lambda image: Evidence("quick"), "quick")], deadline_s=0.3)
    calls = [ToolCall(name=name, arguments={"image": 1}) for name in ("hang", "quick", "hang", "hang")]
    started = time.perf_counter()
    results = await box.run(calls, [image], store)
    assert time.perf_counter() - started < 3
    assert [each.status for each in results] == ["failed", "ok", "failed", "failed"]
    assert results[0].text == "hang did not finish in 0.3 s and was given up."
    assert results[1].seconds < 0.3
    # with three threads hanging, the next turn is as quick as ever
    assert (await box.run([calls[1]], [image], store))[0].status == "ok"
    released.set()
    await asyncio.sleep(0.05)  # their late results disturb nobody


def test_the_program_ends_although_a_tool_hangs() -> None:
    program = """
import asyncio, tempfile, time
from langchain_core.tools import tool
from tools.toolbox import Toolbox, ToolCall
from tools.images.store import ImageStore

@tool
def hang(x: int) -> str:
    "Hang."
    time.sleep(600)
    return ""

store = ImageStore(tempfile.mkdtemp())
(result,) = asyncio.run(Toolbox([hang], deadline_s=0.2).run([ToolCall(name="hang", arguments={"x": 1})], [], store))
print(result.status)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=250, check=True)
    assert ended.stdout == "failed\n"


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("x"), StopIteration(), TimeoutError("theirs"), SystemExit(3), AssertionError(), MemoryError()],
)
async def test_a_crash_is_a_bug_logged_with_its_traceback_and_not_shown(store: ImageStore, error, caplog) -> None:
    def crash(image: MedicalImage) -> Evidence:
        raise error

    result = await run_one(acts(crash), store)
    assert result.status == "bug"
    assert "on our side" in result.text
    assert type(error).__name__ not in result.text
    assert "in crash" in caplog.text


@pytest.mark.parametrize(
    "returned",
    [
        None,
        "text",
        42,
        Evidence(None),  # type: ignore[arg-type]
        Evidence("x" * 20_001),
        Evidence("x", images=None),  # type: ignore[arg-type]
        Evidence("x", images=(np.zeros((4, 4)),)),  # type: ignore[arg-type]
        Evidence("x", regions=("left lung",)),  # type: ignore[arg-type]
        Evidence("x", measurements=({"name": "d"},)),  # type: ignore[arg-type]
        Evidence("x", images=(MedicalImage(np.zeros((4, 4), np.uint8)),) * 65),
    ],
)
async def test_garbage_is_a_failure(store: ImageStore, returned) -> None:
    result = await run_one(acts(lambda image: returned), store)
    assert result.status == "failed"
    assert "expected" in result.text


async def test_a_huge_image_is_a_failure(store: ImageStore) -> None:
    huge = np.broadcast_to(np.uint8(0), (8001, 8000))
    result = await run_one(acts(lambda image: Evidence("big", images=(MedicalImage(huge),))), store)
    assert result.status == "failed"
    assert "8000 x 8001" in result.text


async def test_the_limits_of_images_are_the_callers(store: ImageStore, noise: MedicalImage) -> None:
    volume = MedicalImage.of_volume(Volume(np.zeros((11, 10, 10), np.uint8)))
    box = Toolbox(
        [
            acts(lambda image: Evidence("all", images=(image,))),
            acts(lambda _: Evidence("v", images=(volume,)), "stack"),
        ],
        limits=Limits(pixels=512 * 512, voxels=1000),
    )
    calls = [ToolCall(name="act", arguments={"image": n}) for n in (1, 2)] + [
        ToolCall(name="stack", arguments={"image": 1})
    ]
    larger = MedicalImage(np.zeros((512, 513), np.uint8))
    results = await box.run(calls, [store.put(noise), store.put(larger)], store)
    assert [each.status for each in results] == ["ok", "failed", "failed"]
    assert "513 x 512 pixels, expected at most 262144" in results[1].text
    assert "11 slices of 10 x 10 pixels, expected at most 1000 voxels" in results[2].text


async def test_text_that_no_tokeniser_reads_is_mended(store: ImageStore) -> None:
    result = await run_one(acts(lambda image: Evidence("bad \ud800 half")), store)
    assert result.text == "bad ? half"
    result.model_dump_json()


async def test_a_damaged_image_in_the_store_is_our_bug(store: ImageStore) -> None:
    image = ImageStore(store.folder).put(MedicalImage(np.zeros((4, 4), np.uint8)))
    store.path(image).write_bytes(b"broken")
    call = ToolCall(name="act", arguments={"image": 1})
    (result,) = await Toolbox([acts(lambda image: Evidence("seen"))]).run([call], [image], store)
    assert result.status == "bug"


async def test_regions_and_measurements_arrive(store: ImageStore) -> None:
    found = Evidence(
        "3 mm",
        regions=(Region(image="a", box=(0, 1, 2, 3)),),
        measurements=(Measurement(name="d", value=3, unit="mm"),),
    )
    result = await run_one(acts(lambda image: found), store)
    assert (result.regions, result.measurements) == (found.regions, found.measurements)


async def test_plain_langchain_tools_work_too(store: ImageStore, noise: MedicalImage) -> None:
    @tool
    def add(a: int, b: int = 2) -> int:
        """Add."""
        return a + b

    @tool
    async def later(a: int) -> str:
        """Later."""
        await asyncio.sleep(0.01)
        return "later"

    @tool
    def refuse(a: int) -> str:
        """Refuse."""
        raise ToolException("No.")

    @tool(response_format="content_and_artifact")
    def show(a: int, config: RunnableConfig) -> tuple[str, Evidence]:
        """Show."""
        image = config["configurable"]["images"][a - 1]
        return "ignored", Evidence("shown", images=(image,))

    box = Toolbox([add, later, refuse, show])
    calls = [ToolCall(name=name, arguments={"a": 1}) for name in box.names]
    results = await box.run(calls, [store.put(noise)], store)
    assert [(each.status, each.text) for each in results] == [
        ("ok", "3"),
        ("ok", "later"),
        ("failed", "No."),
        ("ok", "shown"),
    ]
    assert results[3].images == (noise.id,)
    (wrong,) = await box.run([ToolCall(name="add", arguments={"a": "x"})], [], store)
    assert (wrong.status, wrong.text) == (
        "retry",
        'add: got a "x", expected int. Example: {"name": "add", "arguments": {"a": 1}}',
    )


async def test_a_plain_tool_that_returns_what_it_should_not(store: ImageStore) -> None:
    @tool
    def nothing(a: int) -> None:
        """Nothing."""

    @tool(response_format="content_and_artifact")
    def half(a: int) -> str:
        """Promises a pair."""
        return "no pair"

    @tool
    def much(a: int) -> str:
        """Much."""
        return "x" * 20_001

    box = Toolbox([nothing, half, much])
    results = await box.run([ToolCall(name=name, arguments={"a": 1}) for name in box.names], [], store)
    assert [each.status for each in results] == ["ok", "bug", "failed"]
    assert results[0].text == "null"


async def test_async_tools_have_deadlines_and_bugs_as_well(store: ImageStore) -> None:
    @medical_tool
    async def hang(image: MedicalImage) -> Evidence:
        """Hang, and do not let itself be cancelled."""
        while True:
            try:
                await asyncio.sleep(0.5)
                return Evidence("late")
            except asyncio.CancelledError:
                continue

    @medical_tool
    async def leave(image: MedicalImage) -> Evidence:
        """Leave."""
        raise SystemExit(1)

    @medical_tool
    async def view(image: MedicalImage) -> Evidence:
        """View."""
        return Evidence("seen", images=(image.crop((0, 0, 8, 8)),))

    assert (await run_one(hang, store, deadline_s=0.1)).status == "failed"
    assert (await run_one(leave, store)).status == "bug"
    seen = await run_one(view, store)
    assert (seen.status, store.get(seen.images[0]).size) == ("ok", (8, 8))
    await asyncio.sleep(0.6)


async def test_a_cancelled_turn_cancels_its_async_tools(store: ImageStore) -> None:
    ended = asyncio.Event()

    @tool
    async def wait(x: int) -> str:
        """Wait."""
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return ""

    turn = asyncio.ensure_future(Toolbox([wait]).run([ToolCall(name="wait", arguments={"x": 1})], [], store))
    await asyncio.sleep(0.05)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await asyncio.wait_for(ended.wait(), 5)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="each once"):
        Toolbox(load_tools(["zoom_in"]) * 2)


async def test_wrappers_are_anyones_functions_around_any_tool_the_first_outermost(
    store: ImageStore, noise: MedicalImage
) -> None:
    order: list[str] = []

    async def outer(call: Invocation, proceed: Step) -> Evidence:
        order.append(f"outer {call.tool.name} {dict(call.arguments)}")
        found = await proceed(call)
        order.append("outer again")
        return replace(found, text=found.text + "!")

    async def inner(call: Invocation, proceed: Step) -> Evidence:
        order.append("inner")
        return await proceed(call)

    async def own(call: Invocation, proceed: Step) -> Evidence:
        order.append("own")
        return await proceed(call)

    @medical_tool(wrappers=[own])
    def see(image: MedicalImage, side: int = 3) -> Evidence:
        """See."""
        order.append("tool")
        return Evidence("seen")

    @tool
    def add(a: int) -> int:
        """Add."""
        return a + 1

    box = Toolbox([see, add], wrappers=[outer, only("see", inner)])
    (seen,) = await box.run([ToolCall(name="see", arguments={"image": 1})], [store.put(noise)], store)
    assert seen.text == "seen!"
    assert order == ["outer see {'image': 1, 'side': 3}", "inner", "own", "tool", "outer again"]
    (added,) = await box.run([ToolCall(name="add", arguments={"a": 1})], [], store)
    assert added.text == "2!"
    assert "inner" not in order[5:]
    with pytest.raises(ValueError, match=r"the tool 'saw', expected one of see, add"):
        Toolbox([see, add], wrappers=[only(["see", "saw"], inner)])
