"""The report of a check as a table, and as plain data."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rl.check_graph.alignment import LIMIT, EpisodeReport

HEAD = ("episode", "row", "calls of", "ids", "sampled", "images", "mean |d|", "max |d|", "")


def verdict(graph: str, reports: Sequence[EpisodeReport]) -> tuple[bool, str]:
    """Whether the graph can be trained, and in a sentence why."""
    rows = [row for each in reports for row in each.rows]
    faulty = sum(not each.sound for each in reports)
    if faulty:
        return False, f"NOT EXACT: {faulty} of {len(reports)} episodes of {graph} must not train."
    if not any(row.sampled for row in rows):
        nodes = ", ".join(sorted({node for row in rows for node in row.nodes})) or "none that is picked"
        return False, f"NOTHING TRAINS: no call of {len(reports)} episodes of {graph} is picked ({nodes})."
    mean = sum(row.mean * row.sampled for row in rows if row.sampled) / sum(row.sampled for row in rows)
    return True, (
        f"EXACT: {len(reports)} episodes of {graph}, {len(rows)} rows, {sum(row.sampled for row in rows)} sampled ids; "
        f"log-probabilities differ by {mean:.1e} on average (limit {LIMIT})."
    )


def table(reports: Sequence[EpisodeReport]) -> str:
    """One line a row, faults below their rows."""
    lines: list[tuple[str, ...]] = [HEAD]
    notes: dict[int, list[str]] = {}
    for each in reports:
        for row in each.rows:
            lines.append(
                (
                    str(row.episode),
                    str(row.row),
                    " ".join(row.nodes) or "-",
                    str(row.ids),
                    str(row.sampled),
                    str(row.images),
                    _number(row.mean),
                    _number(row.most),
                    "ok" if not row.faults else "FAULTY",
                )
            )
            notes.setdefault(len(lines) - 1, []).extend(row.faults)
        if not each.rows:
            lines.append((str(each.episode), *["-"] * (len(HEAD) - 2), "FAULTY"))
        notes.setdefault(len(lines) - 1, []).extend(each.faults)
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    written: list[str] = []
    for at, line in enumerate(lines):
        written.append("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
        written += [f"    {note}" for note in notes.get(at, ())]
    return "\n".join(written)


def as_json(graph: str, reports: Sequence[EpisodeReport]) -> dict[str, Any]:
    """Numbers and words only; null where a number is not defined."""
    exact, words = verdict(graph, reports)
    plain: list[dict[str, Any]] = [{**asdict(each), "sound": each.sound} for each in reports]
    for each in plain:
        for row in each["rows"]:
            row |= {name: None if math.isnan(row[name]) else row[name] for name in ("mean", "most")}
    return {"graph": graph, "exact": exact, "verdict": words, "limit": LIMIT, "episodes": plain}


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1e}"
