"""docs/tools.md: one line a tool, written from the tools themselves, so that it cannot fall behind them.

python -m tools document --out docs/tools.md
"""

from collections.abc import Sequence

from langchain_core.tools import BaseTool

from tools.medical_tool import MedicalTool
from tools.registry import family_of
from tools.signature import arguments_schema, first_sentence

HEAD = """# The tools

Each takes images by their number in the conversation, and boxes and points in integers from 0 to 999 of the image that
is named. What it shows becomes the next image. `python -m tools list` prints what a policy reads of them, and
`python -m tools run zoom_in scan.png --box 100,100,300,300 --out crop.png` runs one.

This page is written by `python -m tools document --out docs/tools.md`, the picture by
`python -m tools sheet --images FOLDER --out docs/pictures/tools.png` (`tools/samples.py` says what the folder holds).

![Every tool on a real image: what it is given on the left, what it shows on the right](pictures/tools.png)

**Research use only, not a medical device.** The pictures are of VQA-RAD (CC0), the 2018 Data Science Bowl (CC0), BCCD
(MIT), and of files that pydicom (MIT), scikit-image (BSD) and nibabel (MIT) carry.
"""

FAMILIES = {
    "look": "show a part of an image, or several together",
    "appearance": "show the same with other greys",
    "measure": "in millimetres only where the file knows them; never across two views",
    "find": "outline, count, locate",
    "read": "what is written in the pixels, and what the file says (never of whom)",
    "draw": "mark what is meant",
    "volume": "slices, planes, projections",
    "adapters": "learned models: optional packages, and weights that you provide",
}

ACCURACY = """How well they find, on labelled images, with the 95 % interval of a bootstrap over images or cells
(`python -m benchmarks.find_accuracy`); the images were also those on which the tools' numbers were chosen:

| | found | of |
|---|---|---|
| `count_objects`, nuclei in fluorescence: median relative error | 0.050 [0.043, 0.071] | 267 images |
| `count_objects`, stained nuclei: mean absolute error | 10.1 [7.8, 12.9] | 66 images |
| `locate_objects`, white blood cells: recall | 0.993 [0.983, 1.000] | 301 cells |
| `locate_objects`, white blood cells: images with the exact count | 0.979 [0.962, 0.993] | 292 images |
| `find_lungs`: median overlap (IoU) of the boxes | 0.823 [0.806, 0.836] | 172 lungs |
"""
"""Beneath the tools that find: measured on 2026-11-26, to be measured again when they change."""


def document(tools: Sequence[BaseTool]) -> str:
    """The page, in Markdown."""
    families = [*FAMILIES, *sorted({family_of(tool) for tool in tools} - set(FAMILIES))]
    parts = [HEAD]
    for family in families:
        lines = [_line(tool) for tool in tools if family_of(tool) == family]
        if lines:
            about = f": {FAMILIES[family]}" if family in FAMILIES else ""
            parts.append("\n".join([f"## {family}{about}", "", "| tool | arguments | |", "|---|---|---|", *lines, ""]))
        if family == "find" and any(tool.name == "count_objects" for tool in tools):
            parts.append(ACCURACY)
    return "\n".join(parts)


def _line(tool: BaseTool) -> str:
    images = tool.image_parameters if isinstance(tool, MedicalTool) else ()
    names = [name for name in arguments_schema(tool).get("properties", {}) if name not in images]
    needs = f" Needs {tool.needs}." if isinstance(tool, MedicalTool) and tool.needs else ""
    return f"| `{tool.name}` | {', '.join(names)} | {first_sentence(tool.description)}{needs} |"
