"""Task sets by name: what is found, and what a wrong name, split, option or missing folder says."""

from pathlib import Path

import pytest

from rl.tasks import MissingData, TaskFileError, TaskRequest, load_tasks, task_sets
from rl.tasks.loading import iterate_request
from rl.tasks.registry import task_set
from rl.tasks.sets import iterate_tasks as load_for_run
from rl.tasks.splits import SHARES, split_of
from tools.images.store import ImageStore


def test_a_set_is_loaded_by_name_as_a_run_loads_it(store: ImageStore) -> None:
    tasks = load_tasks("phantoms", "test", store=store, count=3, seed=1)
    assert [task.id for task in tasks] == [f"phantoms/test/1/{index}" for index in range(3)]
    assert list(load_for_run("phantoms", store, "test", 3, 1)) == tasks


def test_more_of_a_drawn_set_begins_alike(store: ImageStore) -> None:
    assert (
        load_tasks("phantoms", "train", store=store, count=2)
        == load_tasks("phantoms", "train", store=store, count=4)[:2]
    )


@pytest.mark.parametrize(
    ("name", "split", "options", "said"),
    [
        ("fantoms", "test", {}, "'fantoms', expected one of blood_cells"),
        ("phantoms", "dev", {}, "'dev' of phantoms, expected one of train"),
        ("phantoms", "test", {"size": 3}, r"options \['size'\] for phantoms"),
        ("folders/mine", "test", {}, "Got no"),
    ],
)
def test_what_cannot_be_loaded_says_why(
    store: ImageStore, name: str, split: str, options: dict[str, int], said: str
) -> None:
    with pytest.raises(TaskFileError, match=said):
        list(iterate_request(name, TaskRequest(split, store), **options))


@pytest.mark.parametrize("name", ["blood_cells", "nuclei", "chest_xrays"])
def test_missing_files_are_named_with_their_publisher(
    store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("MEDVISTA_DATA", raising=False)
    for root in (None, tmp_path):
        with pytest.raises(MissingData, match=r"annotations\.json .*published at https://"):
            load_tasks(name, "test", root, store=store)


def test_a_second_set_of_one_name_is_refused() -> None:
    def phantoms(wanted: TaskRequest) -> list[object]:
        return []

    with pytest.raises(ValueError, match="second task set named 'phantoms'"):
        task_set()(phantoms)  # type: ignore[arg-type]
    assert task_sets()["phantoms"].drawn


def test_splits_follow_the_content_in_the_shares_given() -> None:
    found = [split_of(f"image {number}", "some set") for number in range(4000)]
    for split, share in SHARES.items():
        assert found.count(split) / 4000 == pytest.approx(share, abs=0.03)  # 4 standard deviations of 0.007
    assert split_of("image 1", "some set") == found[1]
