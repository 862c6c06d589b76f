"""`python -m tools`: the list is the prompt's, a call is the policy's, errors say how to mend them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.__main__ import main, options_to_arguments
from tools.errors import ToolRetry


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    file = tmp_path / "scan.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8)).save(file)
    return file


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "look"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("look\n- compare_regions(")
    assert "- zoom_in(image: int, box: [x1, y1, x2, y2], margin: int = 0, size: int = null): Look closer " in out
    assert "measure" not in out


def test_a_call_shows_what_the_tool_shows(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "crop.png"
    assert main(["run", "zoom_in", str(scan), "--box", "100,100,499,499", "--out", str(out)]) == 0
    # 10.0 .. 49.9 of 100 pixels: 40 from 10
    assert (np.asarray(Image.open(out)) == np.asarray(Image.open(scan))[10:50, 10:50]).all()
    assert capsys.readouterr().out == f"Closer view of image 1.\n{out}\n"


def test_two_images_are_numbered_by_their_places(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "difference_map", str(scan), str(scan), "--align", "false"]) == 0
    assert "From image 1 to 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["zoom-in"], "Did you mean zoom_in"),
        (["zoom_in"], "argument box is missing"),
        (["zoom_in", "--box", "1,2"], "got box [1, 2], expected"),
        (["zoom_in", "--box"], "expected pairs like --box"),
        (["zoom_in", "--box=1,2,3,4", "--out", "crop.xyz"], "ends in one of .png"),
        (["zoom_in", "--box=1,2,3,4", "--out", "no/such/crop.png"], "make no/such first"),
    ],
)
def test_errors_say_how_to_mend_them(
    scan: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", arguments[0], str(scan), *arguments[1:]]) == 2
    assert said in capsys.readouterr().err


def test_options_are_json_or_lists_or_words() -> None:
    given = ["--box", "1,2,3,4", "--preset", "lung", "--size", "5", "--points", "[[1,2],[3,4]]"]
    assert options_to_arguments(given) == {"box": [1, 2, 3, 4], "preset": "lung", "size": 5, "points": [[1, 2], [3, 4]]}
    with pytest.raises(ToolRetry):
        options_to_arguments(["box", "1"])
    assert options_to_arguments(["--box=1,2,3,4", "--words=a=b"]) == {"box": [1, 2, 3, 4], "words": "a=b"}


def test_one_tool_by_its_name_says_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "zoom_in"]) == 0
    out = capsys.readouterr().out
    assert "The margin of context is in percent" in out
    assert 'Example: {"name": "zoom_in", "arguments": {"image": 1, "box": [120, 340, 420, 610]}}' in out


def test_a_tool_that_shows_nothing_writes_nothing_and_says_so(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "none.png"
    assert main(["run", "image_information", str(scan), "--out", str(out)]) == 0
    assert not out.exists()
    assert "shows no picture" in capsys.readouterr().err
