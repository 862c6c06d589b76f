"""A tool that must load something does so once, before its first call, and not on that call's clock."""

import asyncio
import subprocess
import sys
import time

import pytest

from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.medical_tool import MedicalTool, medical_tool
from tools.toolbox import Toolbox, ToolCall


def tool_that_loads(load, deadline_s: float | None = None) -> MedicalTool:
    @medical_tool(warm_up=load, deadline_s=deadline_s)
    def read(image: MedicalImage) -> Evidence:
        """Read."""
        return Evidence("read")

    return read


CALL = ToolCall(name="read", arguments={"image": 1})


async def test_loading_takes_longer_than_the_deadline_and_is_done_once(store: ImageStore, noise: MedicalImage) -> None:
    loaded: list[float] = []

    def load() -> None:
        time.sleep(1.5)
        loaded.append(time.monotonic())

    box = Toolbox([tool_that_loads(load)], deadline_s=1.0)
    results = await box.run([CALL] * 3, [store.put(noise)], store)
    assert [each.status for each in results] == ["ok"] * 3
    assert len(loaded) == 1
    assert results[0].seconds >= 1.5  # the call took that long, whoever's fault it was


async def test_loading_that_fails_is_tried_again(store: ImageStore, noise: MedicalImage) -> None:
    tries: list[int] = []

    def load() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no such file")

    box = Toolbox([tool_that_loads(load)])
    image = store.put(noise)
    statuses = [(await box.run([CALL], [image], store))[0].status for _ in range(3)]
    assert (statuses, len(tries)) == (["bug", "ok", "ok"], 2)


async def test_a_tool_may_have_a_deadline_of_its_own(store: ImageStore, noise: MedicalImage) -> None:
    @medical_tool(deadline_s=30)
    async def patient(image: MedicalImage) -> Evidence:
        """Take longer than others may."""
        await asyncio.sleep(0.5)
        return Evidence("done")

    (result,) = await Toolbox([patient], deadline_s=0.1).run(
        [ToolCall(name="patient", arguments={"image": 1})], [store.put(noise)], store
    )
    assert result.text == "done"


@pytest.mark.slow
def test_the_reader_of_text_is_loaded_before_its_clock_runs() -> None:
    program = """
import asyncio, sys, tempfile
import numpy as np
from tools import ImageStore, MedicalImage, Toolbox, ToolCall, load_tools
box = Toolbox(load_tools(["read_text"]), deadline_s=20)
assert "rapidocr" not in sys.modules
store = ImageStore(tempfile.mkdtemp())
image = store.put(MedicalImage(np.zeros((64, 64), np.uint8)))
for _ in range(2):
    (result,) = asyncio.run(box.run([ToolCall(name="read_text", arguments={"image": 1})], [image], store))
    print(result.status, result.text, result.seconds)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=280, check=True)
    first, second = (line.rsplit(" ", 1) for line in ended.stdout.splitlines())
    assert first[0] == second[0] == "ok No text in image 1."
    assert float(second[1]) < float(first[1]) / 2
