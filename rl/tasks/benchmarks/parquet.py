"""Benchmarks in the form of the Hugging Face hub: parquet files in a folder, or a name for `datasets` to fetch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from rl.tasks.benchmarks.item import OFFICIAL, Item
from rl.tasks.errors import MissingData, TaskFileError

Row = dict[str, Any]


def parquet_files(folder: Path) -> list[Path]:
    """The parquet files of a folder, as a copy of a hub repository has them: at its top or in data/."""
    return sorted([*folder.glob("*.parquet"), *folder.glob("data/*.parquet")])


def split_in_name(file: Path) -> str:
    """The split that a file such as validation-00000-of-00001.parquet holds, by its authors' name."""
    return file.name.split("-")[0].split(".")[0]


def rows(file: Path) -> Iterator[Row]:
    """The rows of a parquet file. Raises TaskFileError."""
    from pyarrow import parquet

    try:
        table = cast(Any, parquet).ParquetFile(file)
        for batch in table.iter_batches(batch_size=64):
            yield from batch.to_pylist()
    except (OSError, ValueError) as error:
        raise TaskFileError(f"Got {file}, which cannot be read as parquet: {error}") from error


def hub_rows(repository: str, config: str | None = None) -> Iterator[tuple[str, Row]]:
    """(split, row) of a dataset that `datasets` loads, by name or from a folder. Raises MissingData."""
    import datasets

    load, image = cast(Any, datasets).load_dataset, cast(Any, datasets).Image
    try:
        loaded = load(repository, config) if config else load(repository)
    except (OSError, ValueError, ConnectionError) as error:
        raise MissingData(
            f"Got no dataset {repository} through `datasets` ({type(error).__name__}: {error}); expected the hub to be "
            "reachable or the dataset in its cache. Give a local folder as root instead."
        ) from error
    for split, part in loaded.items():
        plain = part
        for column, feature in part.features.items():
            if isinstance(feature, image):
                plain = plain.cast_column(column, image(decode=False))
        for row in plain:
            yield str(split), row


def image_of(value: Any, where: str) -> bytes:
    """The file in an image column. Raises TaskFileError."""
    content = cast(Row, value).get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise TaskFileError(f"{where}: got no image bytes, expected a column of images as `datasets` writes them.")
    return content


def simple_items(found: Iterator[tuple[str, Row]], name: str) -> Iterator[Item]:
    """Items of the common form: image, question, answer."""
    for number, (split, row) in enumerate(found):
        try:
            question, answer, picture = str(row["question"]), str(row["answer"]), row["image"]
        except KeyError as error:
            raise TaskFileError(
                f"{name} row {number}: got no column {error}, expected image, question, answer."
            ) from error
        kind = "closed" if answer.strip().lower() in ("yes", "no") else "open"
        image = image_of(picture, f"{name} row {number}")
        yield Item(f"{split}-{number}", question, answer, (image,), kind, OFFICIAL.get(split))


def local_rows(folder: Path) -> Iterator[tuple[str, Row]]:
    """(split, row) of all parquet files of a folder."""
    for file in parquet_files(folder):
        for row in rows(file):
            yield split_in_name(file), row
