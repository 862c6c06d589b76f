"""Saved checkpoints become versions once they are whole; what the served graph fails to answer is counted."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.policies.scripted import ScriptedPolicy
from agent.serving.checkpoint import CheckpointError, publish, published_checkpoints
from agent.serving.versions import LiveVersions
from rl.config import Config, dump
from rl.evaluate import parse, subjects_of
from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.training import publish as publishing
from rl.training.publish import Publisher, swaps, version_of
from tests.rl.scripts import answers
from tests.rl.training.test_whole_files import saved
from tools.images.store import ImageStore
from tools.medical_tool import medical_tool
from tools.private_files import write_whole

Gallery = tuple[ImageStore, list[Task]]


def test_versions_sort_as_their_steps_do() -> None:
    assert version_of(10) == "rl-00010"
    assert sorted(map(version_of, (100, 9, 20))) == ["rl-00009", "rl-00020", "rl-00100"]


class Gone:
    """A server that is not there: nothing listens on port 1."""

    base_url = "http://127.0.0.1:1"
    versions = LiveVersions("base")


@pytest.fixture
def publisher(gallery: Gallery, parts_of: Callable[..., RunParts], tmp_path: Path) -> Publisher:
    parts: Any = parts_of(gallery[0], device="gpu", serving={"probe_every_s": 0.01})  # gpu: no replay of the probes
    return Publisher(tmp_path, Gone(), parts, gallery[1][:2])  # type: ignore[arg-type]


def test_whole_checkpoints_are_found_in_the_order_of_their_steps(publisher: Publisher) -> None:
    checkpoints = publisher.run / "rl" / "checkpoints"
    for name in ("global_step20_hf", "global_step3_hf", "global_step100_hf", "best_global_step4_hf", "other_hf"):
        saved(checkpoints / name)
    saved(checkpoints / "global_step30_hf").joinpath("tokenizer_config.json").unlink()
    assert [(step, folder.name) for step, folder in publisher.saved()] == [
        (3, "global_step3_hf"),
        (20, "global_step20_hf"),
        (100, "global_step100_hf"),
    ]


@pytest.fixture
def swapped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Swaps are noted instead of done: the real ones are tested with the server."""
    noted: list[str] = []

    async def hot_swap(_: Any, checkpoint: Any) -> Any:
        noted.append(checkpoint.version)
        return SimpleNamespace(pause_to_first_token=0.25)

    monkeypatch.setattr(publishing, "hot_swap", hot_swap)
    return noted


async def test_what_is_saved_is_published_and_swapped_in_once(
    publisher: Publisher, swapped: list[str], random_checkpoint: Path
) -> None:
    publish(random_checkpoint, publisher.versions, "base", None, {}, random_checkpoint)
    for step in (2, 10):
        folder = publisher.run / "rl" / "checkpoints" / f"global_step{step}_hf"
        shutil.copytree(random_checkpoint, folder)
        (folder / "processor_config.json").unlink()  # as OpenRLHF leaves it out
    stop = asyncio.Event()
    stop.set()
    await publisher.watch(stop)
    assert swapped == ["rl-00002", "rl-00010"]
    versions = published_checkpoints(publisher.versions)
    assert [(each.version, each.parent, dict(each.metrics)) for each in versions] == [
        ("base", None, {}),
        ("rl-00002", "base", {"step": 2}),
        ("rl-00010", "rl-00002", {"step": 10}),
    ]
    assert all((each.folder / "processor_config.json").exists() for each in versions)
    await publisher.watch(stop)
    assert len(swapped) == 2


async def test_failed_questions_are_counted_at_the_next_swap(
    publisher: Publisher, swapped: list[str], random_checkpoint: Path
) -> None:
    checkpoint = publish(random_checkpoint, publisher.versions, "base", None, {}, random_checkpoint)
    assert await publisher.ask(publisher.probes[0]) is None
    assert (publisher.asked, len(publisher.failed)) == (1, 1)
    swap = await publisher.go_live(checkpoint)  # asks the two probes, which fail too
    assert (swap.version, swap.seconds, swap.asked, swap.failed_requests) == ("base", 0.25, 3, 3)
    assert swap.stale_answers is None
    assert (publisher.asked, publisher.failed) == (0, [])
    assert [each["failed_requests"] for each in swaps(publisher.run)] == [3]
    assert swapped == ["base"]


async def test_a_question_that_is_answered_does_not_fail(publisher: Publisher) -> None:
    publisher.policy = ScriptedPolicy(answers("solid"), publisher.parts.family)  # type: ignore[assignment]
    answered = await publisher.ask(publisher.probes[0])
    assert answered is not None and (answered.stage, answered.answer) == ("probe", "solid")
    assert (publisher.asked, publisher.failed) == (1, [])


async def test_a_tool_with_a_bug_costs_a_question_not_the_publishing(
    publisher: Publisher, gallery: Gallery, parts_of: Callable[..., RunParts]
) -> None:
    @medical_tool
    def zoom_in(image: Any, box: Any) -> Any:
        """Look closer."""
        raise ZeroDivisionError("ours")

    publisher.parts = parts_of(gallery[0], tools=[zoom_in])
    call = '<think>a</think><tool_call>{"name": "zoom_in", "arguments": {"image": 1, "box": [0, 0, 9, 9]}}</tool_call>'
    publisher.policy = ScriptedPolicy([call, *answers("solid")], publisher.parts.family)  # type: ignore[assignment]
    assert await publisher.ask(publisher.probes[0]) is None
    assert len(publisher.failed) == 1


async def test_the_prober_asks_until_it_is_stopped(publisher: Publisher) -> None:
    publisher.policy = ScriptedPolicy(answers("solid"), publisher.parts.family)  # type: ignore[assignment]
    stop = asyncio.Event()
    probing = asyncio.create_task(publisher.probe(stop))
    while publisher.asked < 3:
        await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(probing, 10)
    assert publisher.failed == []


@pytest.mark.parametrize("change", [{"probes": []}, {"every": 0}])
async def test_without_probes_nobody_is_asked(
    publisher: Publisher, gallery: Gallery, parts_of: Callable[..., RunParts], change: dict[str, Any]
) -> None:
    publisher.probes = change.get("probes", publisher.probes)
    publisher.parts = parts_of(gallery[0], serving={"probe_every_s": change.get("every", 0.01)})
    await asyncio.wait_for(publisher.probe(asyncio.Event()), 10)
    assert publisher.asked == 0


def test_a_run_without_swaps_has_none(tmp_path: Path) -> None:
    assert swaps(tmp_path) == []


def test_the_trained_policy_is_the_version_of_the_last_step(tmp_path: Path, random_checkpoint: Path) -> None:
    run, rl = tmp_path / "run", {"steps": 10, "save_steps": 5}
    write_whole(run / "config.yaml", dump(Config.model_validate({"name": "test", "rl": rl})).encode())
    for version in ("base", "warmup", "rl-00005"):
        publish(random_checkpoint, run / "checkpoints", version, None, {}, random_checkpoint)
    asked = parse(["--run", str(run), "--tasks", "phantoms"])
    with pytest.raises(CheckpointError, match=r"Got no rl-00010 in .*, expected the weights at the end of training"):
        subjects_of(asked)
    publish(random_checkpoint, run / "checkpoints", "rl-00010", "rl-00005", {}, random_checkpoint)
    publish(random_checkpoint, run / "checkpoints", "distilled", "rl-00010", {}, random_checkpoint)
    assert [each.name for each in subjects_of(asked)] == ["no_tools", "tools_untrained", "warmup", "trained"]
    assert subjects_of(asked)[-1].spec == str(run / "checkpoints" / "rl-00010")
