"""The calls of one prompt group share one group of samples."""

import asyncio

import pytest

from rl.training.trainers.openrlhf.prompt_group import SharedGroups


def test_each_call_takes_another_sample_of_one_group() -> None:
    made: list[str] = []

    async def group(name: str) -> list[str]:
        made.append(name)
        await asyncio.sleep(0)
        return [f"{name}{place}" for place in range(3)]

    async def all_calls() -> list[str]:
        groups: SharedGroups[str] = SharedGroups(3)
        # two groups of a, one of b, interleaved
        return await asyncio.gather(*(groups.take(key, lambda key=key: group(key)) for key in "aababbaaa"))

    assert asyncio.run(all_calls()) == ["a0", "a1", "b0", "a2", "b1", "b2", "a0", "a1", "a2"]
    assert made == ["a", "b", "a"]


def test_a_group_that_fails_fails_for_all_of_its_calls() -> None:
    async def broken() -> list[str]:
        raise ValueError("no sample")

    async def all_calls() -> list[object]:
        groups: SharedGroups[str] = SharedGroups(2)
        return await asyncio.gather(*(groups.take("a", broken) for _ in range(2)), return_exceptions=True)

    assert [str(each) for each in asyncio.run(all_calls())] == ["no sample"] * 2


def test_a_group_of_another_size_is_an_error() -> None:
    async def short() -> list[str]:
        return ["only"]

    with pytest.raises(ValueError, match="group of 1 samples, expected 2"):
        asyncio.run(SharedGroups(2).take("a", short))
