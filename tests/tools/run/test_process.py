"""Tools in processes of their own: what one does to its process costs its own call, and no process is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import unruly

from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.medical_tool import MedicalTool, medical_tool
from tools.run.process import isolated
from tools.run.wrapper import only
from tools.toolbox import Toolbox, ToolCall, ToolResult

ROOT = Path(__file__).parents[3]
GIGABYTE = 2**30


def call(tool: MedicalTool) -> ToolCall:
    return ToolCall(name=tool.name, arguments={"image": 1})


@pytest.mark.slow
@pytest.mark.timeout(1200)
async def test_what_a_tool_does_to_its_process_costs_its_own_call(store: ImageStore, noise: MedicalImage) -> None:
    crashes = [
        (unruly.segfault, "segfault ended its process (signal SIGSEGV)"),
        (unruly.leave, "leave ended its process (exit status 3)"),
        (unruly.loop, "loop did not finish in 1 s and was given up"),
        (unruly.greedy, "more memory than it may have"),
        (unruly.close_all, "close_all ended its process (exit status 1)"),
    ]
    tools = [*(tool for tool, _ in crashes), unruly.corner]
    box = Toolbox(tools, deadline_s=300, wrappers=[isolated(processes=1, memory_bytes=4 * GIGABYTE)])
    here = await Toolbox([unruly.corner]).run([call(unruly.corner)], [store.put(noise)], store)
    for tool, words in crashes:
        crashed, good = await box.run([call(tool), call(unruly.corner)], [noise.id], store)
        assert (crashed.status, good.status) == ("failed", "ok"), (crashed, good)
        assert words in crashed.text
        assert (good.text, good.images, good.regions) == (here[0].text, here[0].images, here[0].regions)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("open_files", [0, 200])
async def test_what_a_tool_writes_anywhere_is_no_answer_and_spoils_none(
    store: ImageStore, noise: MedicalImage, open_files: int, capfd: pytest.CaptureFixture[str]
) -> None:
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(open_files)]  # the channel gets another number
    try:
        box = Toolbox([unruly.babble, unruly.warm], deadline_s=300, wrappers=[isolated(processes=1)])
        (said,) = await box.run([call(unruly.babble)], [store.put(noise)], store)
        (after,) = await box.run([call(unruly.warm)], [noise.id], store)
    finally:
        for each in held:
            os.close(each)
    assert said.status == after.status == "ok"
    process = int(said.text.removeprefix("said "))
    assert after.text.split()[0] != str(process)  # who wrote there is not used again
    assert not _runs(process)
    assert capfd.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_words_come_back_as_they_are_and_one_process_is_enough(
    store: ImageStore, noise: MedicalImage, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    @medical_tool
    def nowhere(image: MedicalImage) -> None:  # type: ignore[misc]
        """Cannot be imported elsewhere."""

    told = [unruly.wrong, unruly.huge, unruly.ask_again, unruly.refuse, unruly.buggy, nowhere, unruly.corner]
    told += [unruly.garbage, unruly.unspeakable]
    box = Toolbox(
        [*told, unruly.warm], deadline_s=300, max_calls=9, wrappers=[only([each.name for each in told], isolated(1))]
    )
    results = await box.run([call(each) for each in told], [store.put(noise)], store)
    assert [each.status for each in results[:7]] == ["failed", "failed", "retry", "failed", "bug", "bug", "ok"]
    assert "expected Evidence" in results[0].text
    assert "8000 x 8001" in results[1].text
    assert results[2].text == "Got 3, expected 4: give 4."
    assert results[3].text == "It is too dark."
    assert "in buggy" in caplog.text and "ZeroDivisionError" not in results[4].text
    assert "Define it at the top of a module" in caplog.text
    fresh = ImageStore(store.folder).get(results[6].images[0])
    assert (fresh.pixels == noise.pixels[:8, :8]).all() and not fresh.pixels.flags.writeable
    assert fresh.provenance is not None and fresh.provenance.operations[-1].name == "corner"
    assert [each.status for each in results[7:]] == ["failed", "failed"]
    assert "measurements with a wrong value, expected what Measurement declares" in results[7].text
    assert results[8].text == "half ? a pair"
    assert capfd.readouterr().out == ""  # what it prints does not mix with what this program says
    (warm,) = await box.run([call(unruly.warm)], [noise.id], store)  # not one of those that are isolated
    assert warm.text == f"{os.getpid()} {[os.getpid()]}"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_process_is_warmed_up_once_and_used_again_also_from_another_loop(
    store: ImageStore, noise: MedicalImage
) -> None:
    image = store.put(noise)
    box = Toolbox([unruly.warm, unruly.slow], deadline_s=300, wrappers=[isolated(processes=2)])

    def turn(*calls: ToolCall) -> list[ToolResult]:
        return asyncio.run(box.run(calls, [image], store))

    first, again = [(await asyncio.to_thread(turn, call(unruly.warm)))[0].text for _ in range(2)]
    process = int(first.split()[0])
    assert first == again == f"{process} [{process}]"
    assert process != os.getpid()
    os.kill(process, signal.SIGKILL)  # while it is idle: that is no call's fault
    while psutil.Process(process).status() != psutil.STATUS_ZOMBIE:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # its last threads close the pipe after it is called a zombie
    assert (await asyncio.to_thread(turn, call(unruly.warm)))[0].status == "ok"
    busy = await asyncio.to_thread(turn, *[call(unruly.slow)] * 4)
    assert len({each.text for each in busy}) <= 2 and all(each.status == "ok" for each in busy)
    turn_that_is_left = asyncio.ensure_future(box.run([call(unruly.slow)] * 3, [image], store))
    await asyncio.sleep(0.2)
    turn_that_is_left.cancel()  # one call waits for a process, two are running
    with pytest.raises(asyncio.CancelledError):
        await turn_that_is_left
    (after,) = await box.run([call(unruly.slow)], [image], store)
    assert after.status == "ok"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("end", ["kill", "exit"])
def test_no_process_outlives_the_program(tmp_path: Path, end: str) -> None:
    program = """
import asyncio, os, signal, sys, time
import numpy as np
import unruly
from tools import ImageStore, MedicalImage, Toolbox, ToolCall
from tools.run.process import isolated

async def main():
    store = ImageStore(sys.argv[1])
    image = store.put(MedicalImage(np.zeros((64, 64), np.uint8)))
    box = Toolbox([unruly.family], wrappers=[isolated()])
    turn = asyncio.ensure_future(box.run([ToolCall(name="family", arguments={"image": 1})], [image], store))
    while not (os.path.exists(os.environ["UNRULY_PIDS"]) and open(os.environ["UNRULY_PIDS"]).read().endswith("\\n")):
        await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL) if sys.argv[2] == "kill" else sys.exit(0)

asyncio.run(main())
"""
    pids = tmp_path / "pids"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}", "UNRULY_PIDS": str(pids)}
    command = [sys.executable, "-c", program, str(tmp_path / "store"), end]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert ended.returncode == (-signal.SIGKILL if end == "kill" else 0), ended.stderr
    worker, child = (int(each) for each in pids.read_text().split())
    until = time.monotonic() + 30
    while any(_runs(each) for each in (worker, child)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _runs(worker) and not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
