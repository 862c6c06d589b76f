"""A thread whose policy is lost in the middle goes on in another process, from SQLite and the folder of images alone:
every prompt is, token for token, that of a run which nobody broke off."""

import asyncio
from contextlib import suppress
from pathlib import Path

from agent.policies.policy import PolicyError
from agent.question import Question
from graphs.threads import open_threads
from rl.features.case import Case, Shared, expect
from rl.features.elsewhere import another_process
from rl.features.threads import ended, run
from rl.features.willing import Willing

Prompt = tuple[tuple[int, ...], tuple[int, ...]]
"""Ids, and a checksum of each picture."""
TITLE = "resume in another process"


async def prove(case: Case) -> str | None:
    """Runs to the end, runs and is broken off, goes on elsewhere."""
    asked = Question(images=list(case.task.images), question=case.task.question)
    async with open_threads(case.folder / "threads.sqlite") as threads:
        whole = case.willing()
        found = case.opened(whole, threads)
        async for _ in run(found, "whole", asked):
            pass
        turns = [each.turn for each in whole.spoken]
        gone = next((number for number, turn in enumerate(turns) if turn), len(turns) - 1)
        first = case.willing(gone=gone)
        found = case.opened(first, threads)
        with suppress(PolicyError):
            async for _ in run(found, "broken", asked):
                pass
    where = (case.graph, case.folder, case.shared.store.folder)
    rest, answer = await asyncio.wrap_future(another_process().submit(go_on, *where, case.task.answer))
    expected = {each.asked for each in whole.spoken}
    before = {each.asked for each in first.spoken}
    expect(len(before) < len(expected), "Got a run that was not broken off.")
    expect(rest <= expected, f"Got {len(rest - expected)} of {len(rest)} prompts that no unbroken run has.")
    expect(before | rest == expected, f"Got {len(before | rest)} prompts in all, expected {len(expected)}.")
    expect(answer == case.task.answer, f"Got the answer {answer!r}, expected {case.task.answer!r}.")
    return None


def go_on(graph: str, folder: Path, images: Path, word: str) -> tuple[set[Prompt], str | None]:
    """In the other process: the prompts of the broken thread's rest, and its answer."""

    async def rest() -> tuple[set[Prompt], str | None]:
        case = Case(graph, Shared.elsewhere(images), folder)
        policy = Willing(case.shared.encoder, word)
        async with open_threads(folder / "threads.sqlite") as threads:
            found = case.opened(policy, threads)
            async for _ in run(found, "broken"):
                pass
            return {each.asked for each in policy.spoken}, await ended(found, "broken")

    return asyncio.run(rest())
