"""Synthetic episodes: small ones for hand-worked figures, phantoms with real pixels for pictures and the page."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from agent.prompt import IMAGE
from agent.protocol import Turn, render_turn
from rl.tasks.phantoms.image import draw, place
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from tools.calls import ToolCall
from tools.geometry import PixelBox, box_from_pixels, zoom_box
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

MakeEpisode = Callable[..., Trajectory]


def call(
    status: str = "ok", boxes: Sequence[tuple[str, PixelBox]] = (), images: Sequence[str] = (), **arguments: Any
) -> dict[str, Any]:
    """A result of zoom_in as a trajectory holds it."""
    return {
        "call": {"name": "zoom_in", "arguments": arguments},
        "status": status,
        "text": "Closer view of image 1.",
        "images": list(images),
        "regions": [{"image": image, "box": list(box), "label": None} for image, box in boxes],
        "measurements": [],
        "seconds": 0.001,
        "tool_version": "1",
    }


@pytest.fixture
def episode() -> MakeEpisode:
    """Makes an episode without pictures: right or wrong, with given calls and gold regions."""

    def make(
        task: str = "t/1",
        right: bool = True,
        kind: str = "name",
        calls: Sequence[dict[str, Any]] = (),
        regions: Sequence[tuple[int, PixelBox]] = (),
        turns: int = 1,
        faults: int = 0,
        needs_tool: bool | None = True,
        outcome: str = "answered",
    ) -> Trajectory:
        asked = Task(task, kind, "What?", ("scan", "other"), "solid", "choice", needs_tool, tuple(regions))
        return Trajectory(
            id=f"{task}/0",
            stage="trained",
            task=asked.to_plain(),
            answer="solid",
            outcome=outcome,
            images=["scan", "other"],
            rows=[],
            transcript=[],
            calls=list(calls),
            turns=turns,
            faults=faults,
            rewards={"answer": float(right)},
            reward=float(right),
            seconds=0.1,
        )

    return make


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    return ImageStore(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def phantom(store: ImageStore) -> MakeEpisode:
    """Makes an episode on a real phantom of `number`: it guesses, or looks (well, or to the side) and then answers."""

    def make(
        number: int, right: bool, look: bool = True, aside: float = 0.0, thought: str = "I can see it."
    ) -> Trajectory:
        rng = np.random.default_rng(number)
        lesion = place(rng, 1 if number % 2 else -1, calcified=False)
        scan = MedicalImage(draw(rng, (lesion,)), spacing=(0.7, 0.7))
        task = Task(
            id=f"phantoms/test/0/{number}",
            kind=("name", "count", "side")[number % 3],
            question="What type is the lesion: solid, cystic, spiculated or lobulated?",
            images=(store.put(scan),),
            answer=lesion.type,
            grader="choice",
            needs_tool=number % 3 != 2,
            regions=((1, lesion.box),),
        )
        answer = lesion.type if right else "a wrong type"
        transcript: list[dict[str, Any]] = [{"role": "user", "text": task.question, "images": list(task.images)}]
        calls: list[dict[str, Any]] = []
        images = list(task.images)
        if look:
            x1, y1, x2, y2 = lesion.box
            box = zoom_box((x1 - 18 + aside, y1 - 18, x2 + 18 + aside, y2 + 18), scan.width, scan.height)
            images.append(store.put(scan.crop(box)))
            written = ToolCall(name="zoom_in", arguments={"image": 1, "box": box_from_pixels(box, 512, 512)})
            calls.append(call(boxes=[(task.images[0], box)], images=images[1:], **written.arguments))
            said = render_turn(Turn("I must look closer.", calls=(written,)))
            transcript.append({"role": "policy", "text": said, "images": []})
            shown = f"Image 2: {IMAGE} Closer view of image 1."
            transcript.append({"role": "tools", "text": shown, "images": images[1:]})
        transcript.append({"role": "policy", "text": render_turn(Turn(thought, answer=answer)), "images": []})
        return Trajectory(
            id=f"{task.id}/0",
            stage="trained",
            task=task.to_plain(),
            answer=answer,
            outcome="answered",
            images=images,
            rows=[],
            transcript=transcript,
            calls=calls,
            turns=2 if look else 1,
            faults=0,
            rewards={"answer": float(right)},
            reward=float(right),
            seconds=0.2,
        )

    return make
