"""docs/tools.md: one line a tool, written from the tools themselves, so that it cannot fall behind them.

python -m tools document
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

This page is written by `python -m tools document`, the picture by
`python -m tools sheet --images FOLDER --out docs/pictures/tools.png` (`tools/gallery/samples.py` says what the folder
holds).

![Every tool on a real image: what it is given on the left, what it shows on the right](pictures/tools.png)

**Research use only, not a medical device.** The pictures are of VQA-RAD (CC0), the 2018 Data Science Bowl (CC0), BCCD
(MIT), and of files that pydicom (MIT), scikit-image (BSD) and nibabel (MIT) carry.
"""

AROUND = """## Around a call

A `Toolbox` holds tools with what goes around their calls, and stands wherever a graph takes tools. At most eight calls
an episode, repeated ones from memory, `read_text` in a process of its own, which may crash:

```python
tools = Toolbox(load_tools(["zoom_in", "read_text"]), wrappers=[Budget(8), Cache(), only("read_text", isolated())])
graph = reasoning.factory(model, tools)  # and so do the other graphs here
agent = create_agent(model, for_messages(tools, model.image_store, why_not_shown=model.why_not_shown))
node = ToolNode(for_messages(tools, model.image_store, why_not_shown=model.why_not_shown))  # a graph of your own
```

| wrapper | does |
|---|---|
| `Budget(8)`, `Budget(2, ["read_text"])` | lets so many calls an episode through; one more is sent back |
| `Cache()` | answers the same call on the same images from memory |
| `isolated()` | runs calls in processes of their own, which may hang or crash; in a run `episode.isolated` |
| `on_ray(num_gpus=1)` | runs calls in actors of a Ray that is there; in a run `episode.on_ray` |
| `only("read_text", ...)` | a wrapper for some tools |

Each call has a deadline (`Toolbox(deadline_s=...)`, or its tool's own), a turn so many calls (`max_calls`), a tool that
must load something does so before its first call. `tools/run/wrapper.py` says how to write a wrapper. The same
calls are let through on every graph, whether a turn's calls run together (our graphs) or each by itself (`ToolNode`):
that is decided from the conversation before any of them runs, so nothing is counted anew, or twice, where a thread is
resumed in another process or forked from an old checkpoint. A budget is one conversation's: branches (`Send`) that
begin messages of their own have one each, and what a graph drops from its messages is forgotten.

`for_messages` runs every tool of a Toolbox, plain LangChain tools too; a tool that takes the graph's state, store or
runtime is a part of its graph and stays there, uncounted. Of a list it runs the medical tools alone.
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
    parts.append(AROUND)
    return "\n".join(parts)


def _line(tool: BaseTool) -> str:
    images = tool.image_parameters if isinstance(tool, MedicalTool) else ()
    names = [name for name in arguments_schema(tool).get("properties", {}) if name not in images]
    needs = f" Needs {tool.needs}." if isinstance(tool, MedicalTool) and tool.needs else ""
    return f"| `{tool.name}` | {', '.join(names)} | {first_sentence(tool.description)}{needs} |"
