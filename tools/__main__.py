"""The tools for people: list them, run one, begin one, and draw and write the page that shows them all.

A tool's arguments become options of the same names: `--box 100,100,300,300`, `--preset lung`. Values are JSON, or
numbers with commas between, or plain words; they come after the images, which are numbered by their place, from 1. What
the tool says goes to the terminal, what it shows to `--out`. Research use only, not a medical device.

    python -m tools list find
    python -m tools run zoom_in scan.png --box 100,100,300,300 --out crop.png
    python -m tools new zoom_out --family look
    python -m tools sheet --images FOLDER --out docs/pictures/tools.png
    python -m tools document
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from tools.calls import ToolCall
from tools.errors import ToolError, ToolRetry
from tools.gallery.document import document
from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.medical_tool import MedicalTool
from tools.registry import ENTRY_POINT_GROUP, family_of, load_tools
from tools.run.execution import evidence
from tools.run.validation import find_tool, validated_arguments
from tools.scaffold import ROOT, Kind, ScaffoldError, add_arguments, write
from tools.signature import example_call, prompt_line

PAGE = Path("docs/tools.md")
WRITTEN = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
"""Endings of the files that `--out` can be."""


def list_tools(wanted: Sequence[str]) -> str:
    """The prompt lines of these tools and families (none: all), by family; of a tool named by its name, all it says.

    Raises ValueError for an unknown one.
    """
    tools = load_tools(wanted or None)
    if len(wanted) == len(tools) == 1 and tools[0].name == wanted[0]:
        return f"{_listed(tools[0])}\n\n{tools[0].description}\n\nExample: {example_call(tools[0])}"
    families = sorted({family_of(tool) for tool in tools})
    return "\n\n".join(
        "\n".join([family, *(_listed(tool) for tool in tools if family_of(tool) == family)]) for family in families
    )


def _listed(tool: BaseTool) -> str:
    needs = tool.needs if isinstance(tool, MedicalTool) else ""
    return prompt_line(tool) + (f" (needs {needs})" if needs else "")


def draw_sheet(folder: Path, out: Path) -> None:
    """Writes the contact sheet of all tools that always run; `folder` holds the sample images."""
    from tools.gallery.sheet import FAMILIES, cell_of, sheet

    tools = [tool for tool in load_tools() if isinstance(tool, MedicalTool) and not tool.needs]
    families = [*FAMILIES, *sorted({tool.family for tool in tools} - set(FAMILIES))]
    cells = [(family, [cell_of(tool, folder) for tool in tools if tool.family == family]) for family in families]
    sheet([each for each in cells if each[1]]).save(out, optimize=True)


def new_tool(name: str, family: str, out: Path | None) -> str:
    """Writes a tool and its test; says what to do next. Raises ScaffoldError."""
    if out is None and not (ROOT / "tools" / family / "__init__.py").is_file():
        known = ", ".join(sorted({family_of(tool) for tool in load_tools()}))
        raise ScaffoldError(
            f"Got the family {family!r}, expected one of {known}; for a new one make tools/{family}/__init__.py first."
        )
    templates, package = Path(__file__).parent / "templates", f"tools.{family}"
    kind = Kind(templates, "tool", package, ENTRY_POINT_GROUP, f"python -m tools document  # writes {PAGE}")
    return write(kind, name, out, {"new_family": family})


def run_tool(name: str, images: Sequence[MedicalImage], options: Sequence[str]) -> tuple[str, tuple[MedicalImage, ...]]:
    """The text and images of one call. Raises what the tool raises; ToolRetry for wrong options."""
    tools = {tool.name: tool for tool in load_tools()}
    tool = find_tool(ToolCall(name=name, arguments={}), tools)
    arguments = options_to_arguments(options)
    if isinstance(tool, MedicalTool):
        arguments = {each: n for n, each in enumerate(tool.image_parameters, 1)} | arguments
    call = ToolCall(name=name, arguments=arguments)
    found = evidence(tool, validated_arguments(tool, call, len(images)), images)
    return found.text, found.images


def options_to_arguments(options: Sequence[str]) -> dict[str, Any]:
    """`["--box", "1,2,3,4"]` or `["--box=1,2,3,4"]` as `{"box": [1, 2, 3, 4]}`. ToolRetry for one without value."""
    options = [part for each in options for part in (each.split("=", 1) if each.startswith("--") else (each,))]
    arguments: dict[str, Any] = {}
    for name, value in zip(options[::2], [*options[1::2], None], strict=False):
        if not name.startswith("--") or value is None:
            raise ToolRetry(f"Got {name!r}, expected pairs like --box 100,100,300,300.")
        arguments[name[2:].replace("-", "_")] = _value(value)
    return arguments


def _value(text: str) -> Any:
    if re.fullmatch(r"-?[\d.]+(,-?[\d.]+)+", text):
        text = f"[{text}]"
    try:
        return json.loads(text)
    except ValueError:
        return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lister = commands.add_parser("list", help="say which tools there are, as the policy's prompt does")
    lister.add_argument("names", nargs="*", metavar="NAME", help="tools or families (default: all)")
    runner = commands.add_parser(
        "run",
        help="run one tool",
        epilog="All other options, after the images, are the tool's arguments: `list TOOL` says which.",
    )
    runner.add_argument("tool", metavar="TOOL")
    runner.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    runner.add_argument("--out", type=Path, metavar="FILE", help="where the picture that it shows is written")
    drawer = commands.add_parser("sheet", help="draw the contact sheet of all tools")
    drawer.add_argument(
        "--images", type=Path, required=True, metavar="FOLDER", help="with the sets of tools/gallery/samples.py"
    )
    drawer.add_argument("--out", type=Path, required=True, metavar="FILE")
    writer = commands.add_parser("document", help="write the page of all tools")
    writer.add_argument("--out", type=Path, default=PAGE, metavar="FILE", help="default: %(default)s")
    maker = commands.add_parser("new", help="begin a tool: write its file and its test")
    add_arguments(maker)
    maker.add_argument("--family", default="look", help="which tools it is one of (default: %(default)s)")
    asked, options = parser.parse_known_args(arguments)
    if asked.command != "run" and options:
        parser.error(f"got {' '.join(options)}, which {asked.command} does not take")
    try:
        if asked.command == "list":
            print(list_tools(asked.names))
            return 0
        if asked.command == "sheet":
            draw_sheet(asked.images, asked.out)
            return 0
        if asked.command == "new":
            print(new_tool(asked.name, asked.family, asked.out))
            return 0
        if asked.command == "document":
            asked.out.write_text(document(load_tools()))
            return 0
        _check_out(asked.out)
        text, pictures = run_tool(asked.tool, [load_image(each) for each in asked.images], options)
    except (ToolError, ValueError) as error:  # an ImageError is a ValueError
        print(error, file=sys.stderr)
        return 2
    print(text)
    for number, picture in enumerate(pictures if asked.out else (), 1):
        file = asked.out if number == 1 else asked.out.with_stem(f"{asked.out.stem}-{number}")
        picture.display().save(file)
        print(file)
    if asked.out and not pictures:
        print(f"{asked.tool} shows no picture, so {asked.out} was not written.", file=sys.stderr)
    return 0


def _check_out(file: Path | None) -> None:
    """Raises ToolRetry for a file that no picture can be written to."""
    if file is None:
        return
    if file.suffix.lower() not in WRITTEN:
        raise ToolRetry(f"Got --out {file}, expected a file that ends in one of {', '.join(WRITTEN)}.")
    if not file.parent.is_dir():
        raise ToolRetry(f"Got --out {file}, expected a folder that exists: make {file.parent} first.")


if __name__ == "__main__":
    raise SystemExit(main())
