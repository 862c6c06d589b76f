"""The benchmarks' loaders on small folders in their authors' layouts: what is asked, graded, split and refused."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from rl.graders import grade
from rl.tasks import MissingData, Task, TaskFileError, load_tasks
from rl.tasks.leaks import leaks
from rl.tasks.registry import SPLITS
from tests.rl.tasks.published import LAYOUTS, as_parquet, vqa_rad
from tools.images.store import ImageStore

OFFICIAL = {
    "vqa_rad": {"train": 12, "test": 12},
    "slake": {"train": 16, "validation": 4, "test": 4},
    "path_vqa": {"train": 16, "validation": 4, "test": 4},
    "pmc_vqa": {"train": 18, "test": 6},
    "omnimedvqa": {},
    "medxpertqa": {"validation": 2, "test": 10},
    "mmmu_medical": {"train": 4, "validation": 16},
}
ALL = {
    "vqa_rad": 24,
    "slake": 24,
    "path_vqa": 24,
    "pmc_vqa": 24,
    "omnimedvqa": 24,
    "medxpertqa": 12,
    "mmmu_medical": 20,
}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder in each layout."""
    made = {name: tmp_path_factory.mktemp(name) for name in LAYOUTS}
    for name, folder in made.items():
        LAYOUTS[name](folder)
    return made


@pytest.fixture
def asked(roots: dict[str, Path], store: ImageStore) -> Any:
    """All tasks of a set, over its splits."""

    def load_all(name: str, **options: Any) -> list[Task]:
        return [task for split in SPLITS for task in load_tasks(name, split, roots[name], store=store, **options)]

    return load_all


@pytest.mark.parametrize("name", LAYOUTS)
def test_our_splits_share_no_image_and_lose_no_item(name: str, roots: dict[str, Path], store: ImageStore) -> None:
    splits = {split: load_tasks(name, split, roots[name], store=store) for split in SPLITS}
    assert sum(map(len, splits.values())) == ALL[name]
    assert leaks(splits, store, near=0) == []


@pytest.mark.parametrize("name", LAYOUTS)
def test_official_splits_are_the_authors_and_may_leak(name: str, roots: dict[str, Path], store: ImageStore) -> None:
    splits = {}
    for split in SPLITS:
        if split in OFFICIAL[name]:
            splits[split] = load_tasks(name, split, roots[name], store=store, splits="official")
            assert len(splits[split]) == OFFICIAL[name][split]
        else:
            with pytest.raises(TaskFileError, match=f"official split '{split}' of {name}, but its files have"):
                load_tasks(name, split, roots[name], store=store, splits="official")
    if splits:
        assert [leak.exact for leak in leaks(splits, store)] == [True]  # the picture that is there twice


def one(tasks: list[Task], kind: str) -> Task:
    return next(task for task in tasks if task.kind == kind)


def test_vqa_rad(asked: Any) -> None:
    tasks = asked("vqa_rad")
    closed, open_ = one(tasks, "closed"), one(tasks, "open")
    assert (closed.grader, closed.answer, closed.rules) == ("closed", "yes", {"asks_normal": False})
    assert (open_.grader, open_.answer) == ("open", "left lung")
    half = one(asked("vqa_rad", credit="f1"), "open")
    assert grade(half.grader, "right lung", half.answer, half.rules) == pytest.approx(0.5)


def test_slake_is_english_and_knows_where_what_it_names_lies(asked: Any, roots: dict[str, Path]) -> None:
    tasks = asked("slake")
    assert one(tasks, "closed").regions == ((1, (5.0, 6.0, 15.0, 18.0)),)  # the liver, named in the question
    assert one(tasks, "open").regions == ((1, (20.0, 5.0, 28.0, 13.0)),)  # the spleen, named in the answer
    assert len(asked("slake", language="zh")) == 12


def test_multiple_choice_is_asked_with_letters(asked: Any) -> None:
    task = one(asked("pmc_vqa"), "choice")
    assert task.question.splitlines()[1:] == ["A. Pneumonia", "B. Edema", "C. Fracture", "D. Normal"]
    assert task.answer in "AB" and grade(task.grader, "the answer is " + task.answer, task.answer, task.rules) == 1.0


def test_omnimedvqa_takes_gold_by_text_and_fewer_options(asked: Any) -> None:
    tasks = asked("omnimedvqa")
    assert {len(task.rules["options"]) for task in tasks} == {2, 4}
    assert all(grade(task.grader, "B", task.answer, task.rules) == 1.0 for task in tasks)
    assert {task.kind for task in tasks} == {"Disease Diagnosis", "Modality Recognition"}
    assert len(asked("omnimedvqa", modality="Retina")) == 12


def test_medxpertqa_has_several_images_and_its_options_once(asked: Any) -> None:
    tasks = asked("medxpertqa")
    assert all(len(task.images) == 2 and task.question.count("Pneumonia") == 1 for task in tasks)
    assert {tuple(task.rules["options"]) for task in tasks} == {("Pneumonia", "Edema", "Fracture", "Normal", "Gout")}


def test_mmmu_numbers_its_images_anew_and_leaves_withheld_answers_out(asked: Any) -> None:
    tasks = asked("mmmu_medical")
    assert all(task.question.startswith("See image 1. What is it?") for task in tasks)
    assert {task.grader for task in tasks} == {"choice", "open"}
    assert not any(task.answer == "?" for task in tasks)


@pytest.mark.parametrize("name", LAYOUTS)
def test_missing_files_are_named_with_where_they_are_published(
    name: str, tmp_path: Path, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDVISTA_DATA", raising=False)
    with pytest.raises(MissingData, match=r"published at https://"):
        load_tasks(name, "test", tmp_path, store=store)


def test_a_missing_image_is_named(tmp_path: Path, store: ImageStore) -> None:
    vqa_rad(tmp_path)
    (tmp_path / "VQA_RAD Image Folder" / "synpic3.jpg").unlink()
    with pytest.raises(MissingData, match=r"synpic3\.jpg"):
        load_tasks("vqa_rad", "test", tmp_path, store=store)


def test_an_item_whose_gold_cannot_be_graded_is_left_out_and_told(
    tmp_path: Path, store: ImageStore, caplog: pytest.LogCaptureFixture
) -> None:
    vqa_rad(tmp_path)
    file = tmp_path / "VQA_RAD Dataset Public.json"
    file.write_text(file.read_text().replace("left lung", "the", 1))
    assert len(load_tasks("vqa_rad", "train", tmp_path, store=store, splits="official")) == 11
    assert "1 of 12 items have no gradable gold answer" in caplog.text


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("code has run",)


def test_a_pickle_that_would_run_code_is_refused(
    tmp_path: Path, store: ImageStore, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "qas" / "train").mkdir(parents=True)
    (tmp_path / "qas" / "train" / "train_qa.pkl").write_bytes(pickle.dumps([_Evil()]))
    with pytest.raises(TaskFileError, match="expected plain values only"):
        load_tasks("path_vqa", "train", tmp_path, store=store)
    assert "code has run" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["vqa_rad", "path_vqa"])
def test_the_hubs_parquet_files_are_read_from_a_folder(name: str, tmp_path: Path, store: ImageStore) -> None:
    as_parquet(tmp_path, {"train": (1, 2, 3), "test": (4, 3)})
    splits = {each: load_tasks(name, each, tmp_path, store=store, splits="official") for each in ("train", "test")}
    assert {each: len(tasks) for each, tasks in splits.items()} == {"train": 3, "test": 2}
    assert len(leaks(splits, store)) == 1


@pytest.mark.slow
def test_a_dataset_is_read_through_datasets(tmp_path: Path, store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    as_parquet(tmp_path / "repository", {"train": (1, 2, 3), "test": (4, 5)})
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("rl.tasks.sets.vqa_rad.HUB", str(tmp_path / "repository"))  # a folder stands for the hub
    assert len(load_tasks("vqa_rad", "test", store=store, splits="official", hub=True)) == 2
