"""An evaluation for people who read: Markdown tables of one policy a row, with intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

NOTICE = "Research use only, not a medical device."
NOT_MEASURED = "-"


def write_tables(report: Mapping[str, Any]) -> str:
    """The whole text of evaluation.md."""
    policies: Mapping[str, Any] = report["policies"]
    settings = report["settings"]
    first: Mapping[str, Any] = next(iter(policies.values()), dict[str, Any]())
    about = (
        f"{first.get('questions', 0)} questions about {first.get('images', 0)} images ({', '.join(settings['tasks'])}, "
        f"{settings['split']} split), {settings['samples']} sample(s) each at temperature {settings['temperature']:g}; "
        f"graph {settings['graph']}. In brackets: 95 % intervals of a bootstrap over images. "
    )
    parts = [
        f"# Evaluation\n\n{about}{NOTICE}",
        _section("Accuracy", _accuracy(policies)),
        _section("By kind of question", _kinds(policies)),
        _section("Differences in percentage points, paired", _differences(report["differences"])),
        _section("Differences by kind", _differences_by_kind(report["differences"])),
        _section("Looking", _looking(policies)),
        _section("Without the evidence", _without(policies)),
        _section("Abstention and cost", _cost(policies)),
    ]
    if settings["samples"] > 1:
        parts.insert(3, _section("Several samples", _several(policies)))
    return "\n\n".join(parts) + "\n"


def told(value: Mapping[str, Any] | float | None, digits: int = 3) -> str:
    """0.933 [0.903, 0.960]; a dash for what was not measured."""
    if isinstance(value, Mapping):
        centre, (low, high) = value["mean"], value["ci95"]
        return NOT_MEASURED if _missing(centre) else f"{centre:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    return NOT_MEASURED if value is None or _missing(value) else f"{value:.{digits}f}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are as wide as their widest cell; a cell is one line, whatever it holds."""
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _section(title: str, table: str) -> str:
    return f"## {title}\n\n{table}"


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _accuracy(policies: Mapping[str, Any]) -> str:
    sets = sorted({name for each in policies.values() for name in each["by_set"]})
    columns = ["policy", "all", *sets, "mean of sets", "mean of kinds"]
    rows = [
        [
            name,
            told(each["accuracy"]),
            *(told(each["by_set"].get(one, {}).get("accuracy")) for one in sets),
            told(each["macro_over_sets"]),
            told(each["macro_over_kinds"]),
        ]
        for name, each in policies.items()
    ]
    return markdown(columns, rows)


def _kinds(policies: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            f"{one}/{kind}",
            told(part["accuracy"]),
            told(part["tool_call_rate"]["mean"]),
            told(part["iou"]["mean"]),
            told(part["right_for_the_right_reason"]["mean"]),
            str(part["accuracy"]["n"]),
        ]
        for name, each in policies.items()
        for one, found in each["by_set"].items()
        for kind, part in found["by_kind"].items()
    ]
    return markdown(["policy", "kind", "accuracy", "calls tools", "IoU", "right reason", "questions"], rows)


def _several(policies: Mapping[str, Any]) -> str:
    steps = sorted({int(k) for each in policies.values() for k in each["pass_at"]})
    columns = ["policy", *(f"pass@{k}" for k in steps), *(f"pass^{k}" for k in steps)]
    rows = [
        [name, *(told(each[key].get(str(k))) for key in ("pass_at", "pass_all") for k in steps)]
        for name, each in policies.items()
    ]
    return markdown(columns, rows)


def _differences(differences: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [f"{each['first']} - {each['second']}", told(each, 1), told(each["macro_over_sets"], 1), str(each["n"])]
        for each in differences
    ]
    return markdown(["difference", "all", "mean of sets", "questions"], rows) if rows else "One policy only."


def _differences_by_kind(differences: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [f"{each['first']} - {each['second']}", f"{one}/{kind}", told(part, 1), str(part["n"])]
        for each in differences
        for one, found in each["by_set"].items()
        for kind, part in found["by_kind"].items()
    ]
    return markdown(["difference", "kind", "points", "questions"], rows) if rows else "One policy only."


def _looking(policies: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            told(each["tool_call_rate"]),
            told(each["invalid_rate"]),
            told(each["iou"]),
            told(each["right_for_the_right_reason"]),
        ]
        for name, each in policies.items()
    ]
    columns = ["policy", "episodes that call tools", "invalid turns and calls", "IoU of looks", "right, having looked"]
    return markdown(columns, rows)


def _without(policies: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            str(pairs["pairs"]),
            told(pairs["accuracy_with_evidence"]),
            told(pairs["old_answer_without_evidence"]),
            told(pairs["gap"]),
            told(pairs["abstained_without_evidence"]),
            told(pairs["visual_hallucination_rate"]),
        ]
        for name, each in policies.items()
        for pairs in [each["counterfactual"]]
    ]
    columns = ["policy", "pairs", "right with it", "same answer without", "gap", "abstains without", "hallucinates"]
    return markdown(columns, rows)


def _cost(policies: Mapping[str, Any]) -> str:
    rows = [
        [
            name,
            told(each["abstention"]["rate"]),
            told(each["abstention"]["aurc"]),
            *(told(each["abstention"]["risk_at_coverage"][point]) for point in ("0.5", "0.8", "1")),
            told(each["cost"].get("sampled_tokens"), 1),
            told(each["cost"].get("tokens"), 0),
            told(each["cost"].get("seconds_median"), 2),
        ]
        for name, each in policies.items()
    ]
    columns = ["policy", "abstains", "AURC", "risk at 50 %", "at 80 %", "at 100 %"]
    return markdown([*columns, "tokens written", "tokens in all", "seconds (median)"], rows)
