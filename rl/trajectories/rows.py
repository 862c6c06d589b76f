"""A trajectory as one row of a Parquet shard, and back, without loss.

Lists, numbers and text that people filter and train on have columns of their own, so that `datasets` reads them without
our code: ids, sampled ranges, log-probabilities and versions, transcript, calls and their seconds, reward components.
What has no fixed shape (a task, a call's arguments) is JSON text in one column, and keys that this file does not know
go to `more`: a field that somebody adds is kept, not dropped.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, cast

from rl.trajectories.record import Trajectory

MORE = "more"
"""JSON of the keys that have no column; null where there are none."""
MESSAGE = ("role", "text", "images")
CALL = ("status", "text", "images", "seconds", "tool_version")
REGION = ("image", "box")
SAMPLED = ("start", "end", "logprobs", "versions", "finish_reason", "sample", "node")
PLACED = ("image", "start", "length", "grid")
ROWS = ("rows", "untrained")
COPIES = {"task_id": "id", "kind": "kind", "question": "question", "gold": "answer"}
"""Columns that repeat a field of the task, for whoever filters; reading takes the task itself."""


def arrow() -> Any:
    """pyarrow, which ships no types; imported on first use."""
    import pyarrow

    return pyarrow


@cache
def schema() -> Any:
    """The columns (a pyarrow.Schema)."""
    pa = arrow()
    texts, integers = pa.list_(pa.string()), pa.list_(pa.int32())

    def table(**columns: Any) -> Any:
        return pa.list_(pa.struct(list(columns.items())))

    ledger = pa.struct(
        {
            "ids": integers,
            "sampled": table(
                start=pa.int32(),
                end=pa.int32(),
                logprobs=pa.list_(pa.float64()),
                versions=texts,
                finish_reason=pa.string(),
                sample=pa.string(),
                node=pa.string(),
            ),
            "images": table(image=pa.string(), start=pa.int32(), length=pa.int32(), grid=integers),
        }
    )
    calls = table(
        name=pa.string(),
        arguments=pa.string(),
        status=pa.string(),
        text=pa.string(),
        images=texts,
        regions=table(image=pa.string(), box=pa.list_(pa.float64()), more=pa.string()),
        seconds=pa.float64(),
        tool_version=pa.string(),
        more=pa.string(),
    )
    columns = {
        "id": pa.string(),
        "stage": pa.string(),
        **dict.fromkeys(COPIES, pa.string()),
        "answer": pa.string(),
        "outcome": pa.string(),
        "reward": pa.float64(),
        "rewards": table(name=pa.string(), value=pa.float64()),
        "turns": pa.int32(),
        "faults": pa.int32(),
        "seconds": pa.float64(),
        "seed": pa.int64(),
        "sample": pa.int32(),
        "step": pa.int32(),
        "forked": pa.bool_(),
        "versions": texts,
        "graph": pa.string(),
        "graph_version": pa.string(),
        "tools": table(name=pa.string(), version=pa.string()),
        "images": texts,
        "transcript": table(role=pa.string(), text=pa.string(), images=texts, more=pa.string()),
        "calls": calls,
        "rows": pa.list_(ledger),
        "untrained": pa.list_(ledger),
        "task": pa.string(),
        MORE: pa.string(),
    }
    return pa.schema(list(columns.items()))


def to_row(trajectory: Trajectory) -> dict[str, Any]:
    """The row of a trajectory; ValueError for a value that JSON does not know."""
    plain = trajectory.to_plain()
    made = {
        "task": json.dumps(plain["task"]),
        **{column: plain["task"][field] for column, field in COPIES.items()},
        "rewards": _pairs(plain["rewards"], "value"),
        "tools": _pairs(plain["tools"], "version"),
        "transcript": [_split(message, MESSAGE) for message in plain["transcript"]],
        "calls": [_call_row(call) for call in plain["calls"]],
        **{name: [_ledger_row(each) for each in plain[name]] for name in ROWS},
    }
    return _split({**plain, **made}, [name for name in schema().names if name != MORE])


def from_row(row: Mapping[str, Any]) -> Trajectory:
    """The trajectory of a row. Raises KeyError, TypeError."""
    whole = _join(row)
    made = {
        "task": json.loads(row["task"]),
        "rewards": {each["name"]: each["value"] for each in row["rewards"]},
        "tools": {each["name"]: each["version"] for each in row["tools"]},
        "transcript": [_join(message) for message in row["transcript"]],
        "calls": [_call(call) for call in row["calls"]],
        **{name: [_ledger(each) for each in row[name]] for name in ROWS},
    }
    known = {each.name for each in fields(Trajectory)}
    return Trajectory.from_plain({name: value for name, value in {**whole, **made}.items() if name in known})


def table_of(trajectories: Iterable[Trajectory]) -> Any:
    """The trajectories as a pyarrow.Table."""
    return arrow().Table.from_pylist([to_row(each) for each in trajectories], schema=schema())


def _ledger_row(ledger: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ids": ledger["ids"],
        "sampled": [dict(zip(SAMPLED, turn, strict=True)) for turn in ledger["sampled"]],
        "images": [dict(zip(PLACED, placed, strict=True)) for placed in ledger["images"]],
    }


def _ledger(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ids": row["ids"],
        "sampled": [[turn[name] for name in SAMPLED] for turn in row["sampled"]],
        "images": [[placed[name] for name in PLACED] for placed in row["images"]],
    }


def _call_row(call: Mapping[str, Any]) -> dict[str, Any]:
    asked = {"name": call["call"]["name"], "arguments": json.dumps(call["call"]["arguments"])}
    rest = {name: value for name, value in call.items() if name not in ("call", "regions")}
    return {**asked, "regions": [_split(region, REGION) for region in call["regions"]], **_split(rest, CALL)}


def _call(row: Mapping[str, Any]) -> dict[str, Any]:
    whole = _join(row)
    call = {"name": whole.pop("name"), "arguments": json.loads(whole.pop("arguments"))}
    return {**whole, "call": call, "regions": [_join(region) for region in row["regions"]]}


def _pairs(values: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [{"name": key, name: value} for key, value in values.items()]


def _split(values: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """`values` with all but `columns` under MORE."""
    rest = {name: value for name, value in values.items() if name not in columns}
    kept = {name: value for name, value in values.items() if name in columns}
    return {**kept, MORE: json.dumps(rest) if rest else None}


def _join(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `_split` was given."""
    more = cast("dict[str, Any]", json.loads(row.get(MORE) or "{}"))
    return {name: value for name, value in row.items() if name != MORE} | more
