"""Saved checkpoints become versions once they are whole; what the served graph fails to answer is counted."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from agent.policies.scripted import ScriptedPolicy
from agent.serving.checkpoint import publish, published
from agent.serving.versions import LiveVersions
from rl import publish as publishing
from rl.publish import Publisher, is_whole, swaps, version_of
from rl.rollout import RunParts
from rl.tasks.task import Task
from tests.rl.scripts import answers
from tools.images.store import ImageStore
from tools.medical_tool import medical_tool

Gallery = tuple[ImageStore, list[Task]]


def saved(folder: Path, *shards: str) -> Path:
    """A folder as OpenRLHF leaves it when it has finished."""
    folder.mkdir(parents=True)
    for shard in shards or ("model.safetensors",):
        save_file({"head": np.ones((40, 30), np.float32), "norm": np.zeros(3, np.float32)}, folder / shard)
    (folder / "tokenizer_config.json").write_text("{}")
    return folder


def test_a_finished_folder_is_whole(tmp_path: Path) -> None:
    assert is_whole(saved(tmp_path / "one"))
    assert is_whole(saved(tmp_path / "two", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.999])
def test_weights_that_are_still_being_written_are_not_whole(tmp_path: Path, share: float) -> None:
    folder = saved(tmp_path / "cut", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    weights = (folder / "model-00002-of-00002.safetensors").read_bytes()
    (folder / "model-00002-of-00002.safetensors").write_bytes(weights[: int(share * len(weights))])
    assert not is_whole(folder)


@pytest.mark.parametrize("missing", ["tokenizer_config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_not_whole(tmp_path: Path, missing: str) -> None:
    (saved(tmp_path / "lacking") / missing).unlink()
    assert not is_whole(tmp_path / "lacking")


def test_a_shard_that_the_index_names_must_be_there(tmp_path: Path) -> None:
    folder = saved(tmp_path / "two", "model-00001-of-00002.safetensors")
    shards = {"head": "model-00001-of-00002.safetensors", "norm": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert not is_whole(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"head": ')
    assert not is_whole(folder)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"head": shards["head"]}}))
    assert is_whole(folder)


def test_a_folder_that_is_not_there_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path / "none")


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
    versions = published(publisher.versions)
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
    assert (publisher.asked, publisher.failed) == (1, 1)
    swap = await publisher.go_live(checkpoint)  # asks the two probes, which fail too
    assert (swap.version, swap.seconds, swap.asked, swap.failed_requests) == ("base", 0.25, 3, 3)
    assert swap.stale_answers is None
    assert (publisher.asked, publisher.failed) == (0, 0)
    assert [each["failed_requests"] for each in swaps(publisher.run)] == [3]
    assert swapped == ["base"]


async def test_a_question_that_is_answered_does_not_fail(publisher: Publisher) -> None:
    publisher.policy = ScriptedPolicy(answers("solid"), publisher.parts.encoder)  # type: ignore[assignment]
    answered = await publisher.ask(publisher.probes[0])
    assert answered is not None and (answered.stage, answered.answer) == ("probe", "solid")
    assert (publisher.asked, publisher.failed) == (1, 0)


async def test_a_tool_with_a_bug_costs_a_question_not_the_publishing(
    publisher: Publisher, gallery: Gallery, parts_of: Callable[..., RunParts]
) -> None:
    @medical_tool
    def zoom_in(image: Any, box: Any) -> Any:
        """Look closer."""
        raise ZeroDivisionError("ours")

    publisher.parts = parts_of(gallery[0], tools=[zoom_in])
    call = '<think>a</think><tool_call>{"name": "zoom_in", "arguments": {"image": 1, "box": [0, 0, 9, 9]}}</tool_call>'
    publisher.policy = ScriptedPolicy([call, *answers("solid")], publisher.parts.encoder)  # type: ignore[assignment]
    assert await publisher.ask(publisher.probes[0]) is None
    assert publisher.failed == 1


async def test_the_prober_asks_until_it_is_stopped(publisher: Publisher) -> None:
    publisher.policy = ScriptedPolicy(answers("solid"), publisher.parts.encoder)  # type: ignore[assignment]
    stop = asyncio.Event()
    probing = asyncio.create_task(publisher.probe(stop))
    while publisher.asked < 3:
        await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(probing, 10)
    assert publisher.failed == 0


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
