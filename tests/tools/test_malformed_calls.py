"""Ten thousand broken calls, of every tool: each is valid after all or sent back with what mends it; none crashes."""

import json
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from tools.errors import ToolRetry
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.signature import example_call
from tools.toolbox import Toolbox, ToolCall

OCR = {"read_text", "blank_text"}
"""Not run here: the reader takes seconds."""
TOOLS = [tool for tool in load_tools() if not getattr(tool, "needs", "") and tool.name not in OCR]
WRONG: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 3, 999, 1000, 2**63, 10**400, -0.5, 0.5, 1e308, float("nan"), float("inf")),
    *("", "1", "lung", "null", "<tool_call>", "\ud800", "é" * 300, "purple", "[1, 2, 3, 4]"),
    *([], [1], [0, 0], [5, 5, 5, 5], [9, 9, 1, 1], [0, 0, 999, 999], [1, 2, 3, "4"], [[1, 2], [3, 4]], [[[]]] * 99),
    *({}, {"x": 1}, {"image": {"image": 1}}, [None] * 4, [1e9] * 4, [True] * 4, [0.5, 0.5, 0.9, 0.9]),
]


def broken(chance: random.Random) -> ToolCall:
    """A tool's own example with one to three things wrong."""
    call: dict[str, Any] = json.loads(example_call(chance.choice(TOOLS)))
    arguments: dict[str, Any] = call["arguments"]
    for _ in range(chance.randint(1, 3)):
        match chance.randrange(6):
            case 0 if arguments:
                arguments.pop(chance.choice(list(arguments)))
            case 1:
                arguments[chance.choice(["bbox", "Image", "", "x" * 500, "image_2", "\ud800"])] = chance.choice(WRONG)
            case 2:
                name = call["name"]
                call["name"] = chance.choice(
                    [name.upper(), name[:-1], name + "s", name.replace("_", "-"), "", "\ud800"]
                )
            case _ if arguments:
                arguments[chance.choice(list(arguments))] = chance.choice(WRONG)
            case _:
                pass
    return ToolCall(**call)


def test_ten_thousand_malformed_calls_are_sent_back_in_words_that_mend_them() -> None:
    chance, box = random.Random(5), Toolbox(TOOLS)
    outcomes: Counter[str] = Counter()
    for _ in range(10_000):
        call = broken(chance)
        try:
            box.validate(call, image_count=2)
            outcomes["valid"] += 1
        except ToolRetry as error:
            said = str(error)
            assert 20 < len(said) < 3000, call
            assert "Got" in said or "got" in said or "missing" in said or "Unknown tool" in said, said
            assert "expected" in said or "The tools are" in said or "the images are" in said, said
            said.encode()
            outcomes["sent back"] += 1
    assert outcomes["sent back"] > 8000
    assert outcomes.total() == 10_000


@pytest.mark.filterwarnings("error::RuntimeWarning")
async def test_those_that_are_valid_after_all_run_or_are_refused(store: ImageStore) -> None:
    chance, box = random.Random(6), Toolbox(TOOLS)
    row, column = np.mgrid[0:60, 0:80]
    grey = ((np.sin(row / 5) * np.cos(column / 6) > 0.4) * 150 + 40 + (row + column) % 7).astype(np.uint8)
    images = [store.put(MedicalImage(grey)), store.put(MedicalImage(np.dstack([grey, grey // 2, 255 - grey])))]
    valid: list[ToolCall] = []
    while len(valid) < 60:
        call = broken(chance)
        try:
            box.validate(call, image_count=2)
        except ToolRetry:
            continue
        valid.append(call)
    statuses: Counter[str] = Counter()
    for call in valid:
        (result,) = await box.run([call], images, store)
        assert result.status != "bug", call
        assert result.text
        statuses[result.status] += 1
    assert statuses["ok"] > 12
