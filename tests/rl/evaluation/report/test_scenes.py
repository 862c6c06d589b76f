"""Episodes as scenes: the marks lie where the episode looked, the views carry the numbers the policy knew."""

import base64
import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from rl.evaluation.report.scenes import scan_url, scene
from rl.evaluation.report.steps import COLOURS
from rl.trajectories.record import Trajectory
from tools.errors import ImageError
from tools.images.store import ImageStore

MakeEpisode = Callable[..., Trajectory]


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1])))


def test_marks_are_in_the_scans_own_pixels(phantom: MakeEpisode, store: ImageStore) -> None:
    made = phantom(1, right=True)
    scan = scene(made, store).scans[0]
    assert (scan.width, scan.height, scan.number) == (512, 512, 1)
    gold = made.task["regions"][0][1]
    assert [(mark.x1, mark.y1, mark.x2, mark.y2) for mark in scan.gold] == [gold]
    looked = made.calls[0]["regions"][0]["box"]
    assert [[mark.x1, mark.y1, mark.x2, mark.y2] for mark in scan.boxes] == [looked]
    assert (scan.boxes[0].label, scan.boxes[0].colour) == ("2", COLOURS[0])


def test_views_are_the_exact_pixels_under_their_number(phantom: MakeEpisode, store: ImageStore) -> None:
    made = phantom(1, right=True)
    said, answered, closed = scene(made, store).steps
    assert said.calls[0].startswith("zoom_in(image=1, box=[")
    (view,) = answered.views
    assert (view.number, view.colour) == (2, COLOURS[0])
    assert decoded(view.url).tobytes() == store.get(made.images[1]).display().tobytes()
    assert answered.text == "Image 2: Closer view of image 1."
    assert (closed.thought, closed.answer) == ("I can see it.", made.answer)


def test_a_measurement_is_a_line(phantom: MakeEpisode, store: ImageStore) -> None:
    made = phantom(1, right=True, look=False)
    measured = {"name": "measure_distance", "arguments": {"image": 1, "start": [0, 999], "end": [333, 0]}}
    result = {"call": measured, "status": "ok", "images": [], "regions": []}
    (line,) = scene(replace(made, calls=[result]), store).scans[0].lines
    # 333 / 999 of 512 pixels is 170.67.
    assert (line.x1, line.y1, line.x2, line.y2) == pytest.approx((0, 512, 170.6667, 0))
    failed = scene(replace(made, calls=[{**result, "status": "retry"}]), store)
    assert failed.scans[0].lines == ()


def test_two_calls_have_two_colours_and_numbers(phantom: MakeEpisode, store: ImageStore) -> None:
    made = phantom(1, right=True)
    again = replace(
        made,
        images=[*made.images, made.images[1]],
        calls=[made.calls[0], made.calls[0]],
        transcript=[*made.transcript[:3], *made.transcript[1:]],
    )
    shown = scene(again, store)
    views = [view for step in shown.steps for view in step.views]
    assert [(view.number, view.colour) for view in views] == [(2, COLOURS[0]), (3, COLOURS[1])]
    assert [mark.label for mark in shown.scans[0].boxes] == ["2", "3"]


def test_a_turn_that_cannot_be_read_is_shown_whole(phantom: MakeEpisode, store: ImageStore) -> None:
    made = phantom(1, right=False, look=False)
    broken = {"role": "policy", "text": "<think>so <tool_call>{", "images": []}
    (step,) = scene(replace(made, transcript=[made.transcript[0], broken], outcome="too_many_turns"), store).steps
    assert step.unreadable and step.text == "<think>so <tool_call>{"


def test_scans_are_made_small_enough_to_send(phantom: MakeEpisode, store: ImageStore) -> None:
    made = phantom(1, right=True, look=False)
    url = scan_url(made.images[0], store)
    assert decoded(url).size == (512, 512)
    assert len(url) < 120_000


def test_an_image_that_is_gone_is_an_error(phantom: MakeEpisode, store: ImageStore) -> None:
    made = phantom(1, right=True)
    gone = replace(made, task={**made.task, "images": ("0" * 64,)})
    with pytest.raises(ImageError, match="does not hold"):
        scene(gone, store)
