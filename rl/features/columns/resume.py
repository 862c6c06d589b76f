"""A thread whose policy is lost in the middle goes on in another process, from SQLite and the folder of images alone:
every prompt is, token for token, that of a run which nobody broke off."""

import asyncio
from contextlib import suppress
from pathlib import Path

from agent.chat.loading import family_in
from agent.policies.policy import PolicyError
from agent.question import Question
from graphs.app.threads import open_threads
from rl.features.case import CHECKPOINT, Case, Shared, expect
from rl.features.other_process import another_process
from rl.features.reading_policy import Prompt
from rl.features.threads import run
from rl.tasks.task import Task
from tools.images.store import ImageStore

TITLE = "resume in another process"


async def prove(case: Case) -> str | None:
    """Runs to the end, runs and is broken off, goes on elsewhere."""
    asked = Question(images=list(case.task.images), question=case.task.question)
    async with open_threads(case.folder / "threads.sqlite") as threads:
        whole = case.reading_policy()
        async for _ in run(case.opened(case.model(whole), threads), "whole", asked):
            pass
        turns = [each.turn for each in whole.spoken]
        gone = next((number for number, turn in enumerate(turns) if turn), len(turns) - 1)
        first = case.reading_policy(gone=gone)
        with suppress(PolicyError):
            async for _ in run(case.opened(case.model(first), threads), "broken", asked):
                pass
    where = (case.graph, case.folder, case.shared.store.folder, case.task)
    rest = await asyncio.wrap_future(another_process().submit(go_on, *where))
    expected, before = ({each.asked for each in policy.spoken} for policy in (whole, first))
    expect(len(before) < len(expected), "Got a run that was not broken off.")
    expect(rest <= expected, f"Got {len(rest - expected)} of {len(rest)} prompts that no unbroken run has.")
    expect(before | rest == expected, f"Got {len(before | rest)} prompts in all, expected {len(expected)}.")
    return None


def go_on(graph: str, folder: Path, images: Path, task: Task) -> set[Prompt]:
    """In the other process: runs the broken thread to its end; the prompts of its rest."""

    async def rest() -> set[Prompt]:
        case = Case(graph, Shared(family_in(CHECKPOINT), ImageStore(images), task, folder), folder)
        policy = case.reading_policy()
        async with open_threads(folder / "threads.sqlite") as threads:
            found = case.opened(case.model(policy), threads)
            async for _ in run(found, "broken"):
                pass
            await case.answered(found, "broken")
        return {each.asked for each in policy.spoken}

    return asyncio.run(rest())
