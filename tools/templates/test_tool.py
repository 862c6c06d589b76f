"""new_tool: what it finds on an image whose answer is worked out by hand."""

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.images.image import MedicalImage
from tools.medical_tool import MedicalTool
from tools.registry import load_tools

(TOOL,) = load_tools(["new_tool"])


def test_what_it_measures() -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[:50] = 80  # the upper half; the mean of all is 40
    assert isinstance(TOOL, MedicalTool)
    found = TOOL.apply({"image": 1, "box": [0, 0, 999, 499]}, [MedicalImage(pixels)])
    assert [each.value for each in found.measurements] == [40.0]
    assert found.regions[0].box == (0, 0, 100, 50)


def test_a_box_without_area_is_sent_back() -> None:
    assert isinstance(TOOL, MedicalTool)
    with pytest.raises(ToolRetry, match="new_tool"):
        TOOL.apply({"image": 1, "box": [5, 5, 5, 900]}, [MedicalImage(np.zeros((100, 100), np.uint8))])
