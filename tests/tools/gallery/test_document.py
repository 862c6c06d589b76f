"""docs/tools.md and the contact sheet: current, whole, and made of tools that ran."""

from pathlib import Path

import numpy as np
from PIL import Image

from tools.gallery.document import document
from tools.gallery.samples import SAMPLES, sample_of
from tools.gallery.sheet import CELL, COLUMNS, MARGIN, Cell, sheet
from tools.images.image import MedicalImage
from tools.medical_tool import MedicalTool
from tools.registry import load_tools

ROOT = Path(__file__).parents[3]
FOUND = [tool for tool in load_tools() if isinstance(tool, MedicalTool)]
OURS = [tool for tool in FOUND if tool.func and tool.func.__module__.startswith("tools.")]


def test_the_page_is_current() -> None:
    said = (ROOT / "docs" / "tools.md").read_text()
    assert said == document(OURS), "write it again: python -m tools document"


def test_every_sample_is_a_tools_and_a_tool_without_one_is_shown_by_its_example() -> None:
    assert set(SAMPLES) <= {tool.name for tool in OURS if not tool.needs}
    for tool in OURS:
        assert len(sample_of(tool).images) >= len(tool.image_parameters)
        assert set(sample_of(tool).arguments) <= set(tool.args)


def test_the_picture_is_small_enough_to_be_looked_at_on_a_page() -> None:
    picture = ROOT / "docs" / "pictures" / "tools.png"
    assert picture.stat().st_size < 1_500_000
    with Image.open(picture) as opened:
        assert opened.width == COLUMNS * (CELL[0] + MARGIN) + MARGIN


def test_a_sheet_of_two_families() -> None:
    image = MedicalImage(np.full((40, 60), 200, np.uint8))
    cell = Cell("zoom_in", "box [0,0,9,9]", (image, image), image, "Closer view.")
    words = Cell("measure_distance", "", (image,), None, "Distance: 3.0 mm.")
    page = sheet([("look", [cell] * (COLUMNS + 1)), ("measure", [words])])
    assert page.size[1] > 3 * CELL[1]
    assert len(page.getcolors() or ()) <= 256
