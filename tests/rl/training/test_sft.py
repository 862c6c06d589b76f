"""Warm-up: who is imitated, what enters the loss, and which weights learn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.chat.loading import family_in
from agent.encoder import Encoder
from agent.protocol import parse_turn
from rl.rollout.run_parts import RunParts
from rl.tasks.task import Task
from rl.training.sft import IGNORED, collate, demonstrate, freeze_vision, last_whole, replayed_rows, rows, train
from rl.trajectories.check import TrainingRow
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import looks
from tools.images.store import ImageStore

SMALL = {"trajectories": 20, "call_rate": 0.3, "epochs": 1, "batch_size": 4, "replayed": 2}


@pytest.mark.usefixtures("undrawn")
async def test_the_demonstrator_looks_in_its_share_of_episodes_and_only_right_ones_are_kept(
    store: ImageStore, parts_of: Callable[..., RunParts], tmp_path: Path
) -> None:
    shown = await demonstrate(parts_of(store, warmup=SMALL), tmp_path / "warmup")
    assert sum(bool(each.calls) for each in shown) == 6  # 0.3 of 20
    assert len(shown) == 20 and all(each.correct for each in shown)
    drawn = {int(each.task["id"].rpartition("/")[2]) for each in shown}
    assert len(drawn) == 20 and max(drawn) >= 25  # wrong guesses were made, and left out
    assert {each.task["id"].split("/")[1] for each in shown} == {"warmup"}
    assert {each.task["kind"] for each in shown if each.calls} > {"side"}  # it looks whatever the question
    stored = list(TrajectoryStore(tmp_path / "warmup"))
    assert [each.id for each in stored] == [each.id for each in shown]


@pytest.mark.usefixtures("undrawn")
async def test_a_demonstration_is_the_same_for_the_same_seed(
    store: ImageStore, parts_of: Callable[..., RunParts], tmp_path: Path
) -> None:
    first, again = [await demonstrate(parts_of(store, warmup=SMALL), tmp_path / name) for name in ("first", "again")]
    assert [each.transcript for each in again] == [each.transcript for each in first]
    assert [[row["ids"] for row in each.rows] for each in again] == [
        [row["ids"] for row in each.rows] for each in first
    ]
    other = await demonstrate(parts_of(store, warmup=SMALL, seed=1), tmp_path / "other")
    assert [each.transcript for each in other] != [each.transcript for each in first]


@pytest.mark.usefixtures("undrawn")
async def test_a_demonstration_that_was_cut_off_is_made_anew_without_doubles(
    store: ImageStore, parts_of: Callable[..., RunParts], tmp_path: Path
) -> None:
    parts = parts_of(store, warmup=SMALL)
    whole = await demonstrate(parts, tmp_path / "whole")
    with TrajectoryStore(tmp_path / "cut") as cut:
        for trajectory in whole[:7]:
            cut.add(trajectory)
    assert await demonstrate(parts, tmp_path / "cut") != []
    resumed = list(TrajectoryStore(tmp_path / "cut"))
    assert [each.id for each in resumed] == [each.id for each in whole]
    assert [[row["ids"] for row in each.rows] for each in resumed] == [
        [row["ids"] for row in each.rows] for each in whole
    ]


@pytest.mark.usefixtures("undrawn")
async def test_a_demonstrator_that_never_looks_or_always_does(
    store: ImageStore, parts_of: Callable[..., RunParts], tmp_path: Path
) -> None:
    for rate in (0.0, 1.0):
        parts = parts_of(store, warmup={**SMALL, "trajectories": 4, "call_rate": rate})
        shown = await demonstrate(parts, tmp_path / str(rate))
        assert [bool(each.calls) for each in shown] == [bool(rate)] * 4


def row(ids: list[int], mask: list[int], patches: int) -> TrainingRow:
    pixels, grids = torch.full((patches, 3), float(ids[0])), torch.tensor([[1, 2, patches // 2]])
    return TrainingRow(ids, mask, [0.0] * len(ids), {"pixel_values": pixels, "image_grid_thw": grids})


def test_a_batch_by_hand(encoder: Encoder) -> None:
    image, pad = encoder.image_pad, encoder.tokenizer.pad_token_id
    batch = collate([row([4, 9, image, 7], [0, 1, 0, 1], 4), row([8, 9], [0, 1], 8)], encoder)
    assert batch["input_ids"].tolist() == [[4, 9, image, 7], [8, 9, pad, pad]]
    assert batch["mm_token_type_ids"].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 9, IGNORED, 7], [IGNORED, 9, IGNORED, IGNORED]]
    assert batch["pixel_values"].tolist() == [[4.0] * 3] * 4 + [[8.0] * 3] * 8
    assert batch["image_grid_thw"].tolist() == [[1, 2, 2], [1, 2, 4]]


def test_a_batch_without_pictures_has_none(encoder: Encoder) -> None:
    text = TrainingRow(ids=[4, 5], mask=[0, 1], logprobs=[0.0, 0.0], mm={})
    assert set(collate([text], encoder)) == {"input_ids", "attention_mask", "labels", "mm_token_type_ids"}


async def test_only_what_the_demonstrator_says_is_learnt(
    gallery: tuple[ImageStore, list[Task]],
    parts_of: Callable[..., RunParts],
    play: Callable[..., Any],
    encoder: Encoder,
) -> None:
    parts, task = parts_of(gallery[0]), gallery[1][0]
    (taught,) = rows([await play(parts, task, looks(task))], parts)
    batch = collate([taught], encoder)
    learnt = [token for token in batch["labels"][0].tolist() if token != IGNORED]
    assert encoder.decode(learnt) == "".join(f"{turn}<|im_end|>" for turn in looks(task))
    assert encoder.image_pad not in learnt


def test_replayed_lessons_are_turns_that_can_be_read(
    parts_of: Callable[..., RunParts], store: ImageStore, encoder: Encoder
) -> None:
    assert not list(replayed_rows(parts_of(store), 8))  # a base without lessons
    parts = parts_of(store, base={"lessons": "rl.toy.curriculum:Phantoms"})
    replayed = list(replayed_rows(parts, 8))
    assert len(replayed) == 8
    for each in replayed:
        said = [token for token, on in zip(each.ids, each.mask, strict=True) if on]
        assert each.mask[-1] == 1 and said[-1] == encoder.end_of_turn
        for turn in encoder.decode_turn(said).split("<|im_end|>"):
            parse_turn(turn if turn.startswith("<think>") else f"<think>given</think>{turn}")
        assert each.ids.count(encoder.image_pad) == 16 * len(each.mm["image_grid_thw"])
    assert [each.ids for each in replayed_rows(parts, 8)] == [each.ids for each in replayed]


def test_only_the_language_model_learns(processor: Any) -> None:
    from rl.toy.model import build_model

    model = build_model(processor.tokenizer, seed=0)
    freeze_vision(model)
    learns = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert learns["model.language_model.embed_tokens.weight"] is True
    assert {on for name, on in learns.items() if ".visual." in name} == {False}
    assert {on for name, on in learns.items() if ".language_model." in name} == {True}
    assert all(".visual." in name or ".language_model." in name for name in learns)


@pytest.mark.slow
async def test_training_teaches_the_language_model_and_resumes(
    gallery: tuple[ImageStore, list[Task]],
    parts_of: Callable[..., RunParts],
    play: Callable[..., Any],
    random_checkpoint: Path,
    tmp_path: Path,
) -> None:
    from safetensors.torch import load_file

    parts = parts_of(gallery[0], warmup=SMALL)
    shown = [await play(parts, task, looks(task)) for task in gallery[1][:5]]
    train(parts, shown, random_checkpoint, tmp_path / "out", tmp_path / "work")
    before = load_file(random_checkpoint / "model.safetensors")
    after = load_file(tmp_path / "out" / "model.safetensors")
    moved = {name for name in after if not torch.equal(before[name].float(), after[name])}
    assert moved and all("language_model" in name for name in moved)
    family_in(tmp_path / "out")  # the image processor's files are there
    train(parts, shown, random_checkpoint, tmp_path / "again", tmp_path / "work")  # finds its last checkpoint
    again = load_file(tmp_path / "again" / "model.safetensors")
    assert all(torch.equal(after[name], again[name]) for name in after)


@pytest.mark.slow
@pytest.mark.parametrize("left", [0.0, 0.5])
async def test_a_kill_during_its_save_costs_the_save_not_the_run(
    gallery: tuple[ImageStore, list[Task]],
    parts_of: Callable[..., RunParts],
    play: Callable[..., Any],
    random_checkpoint: Path,
    tmp_path: Path,
    left: float,
) -> None:
    from safetensors.torch import load_file

    parts = parts_of(gallery[0], warmup={**SMALL, "epochs": 2})
    shown = [await play(parts, task, looks(task)) for task in gallery[1][:5]]
    train(parts, shown, random_checkpoint, tmp_path / "out", tmp_path / "work")
    (newest,) = (tmp_path / "work").glob("checkpoint-*")
    number = int(newest.name.rpartition("-")[2])
    half = newest.with_name(f"checkpoint-{number // 2}")  # of the first epoch, the only one so far
    newest.rename(half)
    state = half / "trainer_state.json"
    state.write_bytes(state.read_bytes()[: int(left * state.stat().st_size)])
    if not left:
        state.unlink()  # it is written last
    train(parts, shown, random_checkpoint, tmp_path / "again", tmp_path / "work")
    after, again = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "again"))
    assert all(torch.equal(after[name], again[name]) for name in after)


def test_the_newest_checkpoint_that_is_whole_is_gone_on_from(tmp_path: Path) -> None:
    assert last_whole(tmp_path / "none") is None
    for step in (9, 10, 100):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        torch.save({"step": torch.full((2000,), float(step))}, folder / "optimizer.pt")
        (folder / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
    (tmp_path / "checkpoint-of-mine").mkdir()
    assert last_whole(tmp_path) == tmp_path / "checkpoint-100"
    optimizer = tmp_path / "checkpoint-100" / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:1000])
    assert last_whole(tmp_path) == tmp_path / "checkpoint-10"
    (tmp_path / "checkpoint-10" / "trainer_state.json").write_text('{"global_step": ')
    assert last_whole(tmp_path) == tmp_path / "checkpoint-9"
    (tmp_path / "checkpoint-9" / "trainer_state.json").unlink()
    assert last_whole(tmp_path) is None
