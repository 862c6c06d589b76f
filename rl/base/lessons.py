"""What the base is taught: to see, and to write in the agent's format. Never an episode, never when to look.

Every lesson is one question and one turn, as in any vision-language base's instruction data: read a view ("What type is
the lesion?"), guess from the whole picture, say a quadrant, write down the call one is told to write ("Call zoom_in on
the lesion."), read a measurement out of a text. A lesson never shows a tool's result as the answer to the policy's own
call. Beside the turn, each image token carries a dense label (what lies in its cell), learnt through the same output
head.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from agent.prompt import END_OF_TURN, opening, system_prompt
from agent.protocol import Turn, render_turn
from rl.tasks.phantoms.expert import LOOK, MEASURE, SEEN, measure_call, reading, zoom_call
from rl.tasks.phantoms.image import SIZE, Lesion, draw, place
from rl.tasks.phantoms.questions import QUESTIONS, Kind, gold_answer
from tools.geometry import zoom_box

CELLS = 4
"""Image tokens per side of a square image."""
CALL_ZOOM = "Call zoom_in on the lesion."
CALL_ZOOM_BOTH = "Call zoom_in on both lesions."
CALL_ZOOM_ONE = ("Call zoom_in on the left lesion.", "Call zoom_in on the right lesion.")
CALL_MEASURE = "Call measure_distance from the left lesion to the right one."
NOTHING = "none"


@dataclass(frozen=True)
class Lesson:
    """One prompt with its images, the turn to learn, and the dense labels: per image a word per cell, row by row."""

    prompt: str
    target: str
    images: tuple[Image.Image, ...]
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class View:
    """A picture and what its cells hold."""

    image: Image.Image
    cells: tuple[str, ...]


def _view(picture: Image.Image, box: tuple[int, int, int, int], lesions: tuple[Lesion, ...], close: bool) -> View:
    """The square `box` of `picture`, each cell labelled by the lesion whose bounding box it touches."""
    step = (box[2] - box[0]) / CELLS
    words: list[str] = []
    for row in range(CELLS):
        for column in range(CELLS):
            x, y = box[0] + column * step, box[1] + row * step
            word = NOTHING
            for lesion in lesions:
                x1, y1, x2, y2 = lesion.box
                if x1 < x + step and x2 > x and y1 < y + step and y2 > y:
                    word = (str(lesion.calcifications) if lesion.calcifications else lesion.type) if close else "lesion"
            words.append(word)
    return View(picture.crop(box), tuple(words))


def _closer(rng: np.random.Generator, picture: Image.Image, lesion: Lesion) -> View:
    """A view of the lesion as a policy may come by it: off centre, wider or narrower than an expert's."""
    side = float(rng.choice([61, rng.uniform(46, 110)], p=[0.7, 0.3]))
    slack = max(2.0, (side - lesion.diameter) / 2)
    x, y = (value + rng.uniform(-slack, slack) for value in (lesion.x, lesion.y))
    box = zoom_box((x - side / 2, y - side / 2, x + side / 2, y + side / 2), SIZE, SIZE)
    return _view(picture, box, (lesion,), close=True)


class Teacher:
    """Makes lessons; `tool_section` is the tool part of one of the three system prompts a lesson may stand under."""

    def __init__(self, tool_section: str) -> None:
        self.systems = ("", system_prompt(""), system_prompt(tool_section))

    def _lesson(self, rng: np.random.Generator, question: str, turn: Turn, views: tuple[View, ...]) -> Lesson:
        system = self.systems[int(rng.integers(len(self.systems)))]
        return Lesson(
            prompt=opening(system, question, len(views)),
            target=render_turn(turn) + END_OF_TURN,
            images=tuple(view.image for view in views),
            cells=tuple(view.cells for view in views),
        )

    def of_one_lesion(self, rng: np.random.Generator) -> list[Lesson]:
        """Lessons from a phantom with one lesion: where it is, what it is, how many calcifications, which quadrant."""
        kind: Kind = "count" if rng.uniform() < 0.5 else "name"
        lesion = place(rng, -1 if rng.uniform() < 0.5 else 1, calcified=kind == "count")
        picture = Image.fromarray(draw(rng, (lesion,)))
        whole = _view(picture, (0, 0, SIZE, SIZE), (lesion,), close=False)
        answer = Turn(SEEN, answer=gold_answer(kind, (lesion,), (1, 1)))
        call = Turn(LOOK, calls=(zoom_call(lesion.x, lesion.y),))
        side = Turn(SEEN, answer=gold_answer("side", (lesion,), (1, 1)))
        other = (QUESTIONS["side"], side) if rng.uniform() < 0.6 else (QUESTIONS[kind], answer)
        lessons = [self._lesson(rng, CALL_ZOOM, call, (whole,)), self._lesson(rng, *other, (whole,))]
        lessons += [self._lesson(rng, QUESTIONS[kind], answer, (_closer(rng, picture, lesion),)) for _ in range(2)]
        return lessons

    def of_two_lesions(self, rng: np.random.Generator) -> list[Lesson]:
        """Lessons from a phantom with a lesion in each lung: both places, each type, the same or not, a distance."""
        left, right = place(rng, -1, calcified=False), place(rng, 1, calcified=False)
        if rng.uniform() < 0.4:
            right = replace(right, type=left.type)
        pair = (left, right)
        picture = Image.fromarray(draw(rng, pair))
        whole = _view(picture, (0, 0, SIZE, SIZE), pair, close=False)
        calls = tuple(zoom_call(lesion.x, lesion.y) for lesion in pair)
        one = int(rng.integers(2))
        types = [lesion.type for lesion in pair]
        same = gold_answer("compare", pair, (1, 1))
        millimetres = float(rng.uniform(20, 400))
        read = f"Distance: {millimetres:.1f} mm. {QUESTIONS['measure']}"
        guess = f"{round(rng.uniform(60, 260))} mm"
        views = (_closer(rng, picture, left), _closer(rng, picture, right))
        seldom: list[tuple[str, Turn]] = [
            (QUESTIONS["compare"], Turn(SEEN, answer=same)),
            (QUESTIONS["measure"], Turn(SEEN, answer=guess)),
            (read, Turn(SEEN, answer=f"{millimetres:.1f} mm")),
            (CALL_ZOOM_ONE[one], Turn(LOOK, calls=(calls[one],))),
        ]
        first, second = rng.choice(4, size=2, replace=False, p=[0.2, 0.1, 0.35, 0.35])
        return [
            self._lesson(rng, CALL_ZOOM_BOTH, Turn(LOOK, calls=calls), (whole,)),
            self._lesson(rng, CALL_MEASURE, Turn(MEASURE, calls=(measure_call(left, right),)), (whole,)),
            self._lesson(rng, *seldom[int(first)], (whole,)),
            self._lesson(rng, *seldom[int(second)], (whole,)),
            self._lesson(rng, QUESTIONS["compare"], Turn(reading(types, 1), answer=same), views),
            self._lesson(rng, QUESTIONS["name"], Turn(SEEN, answer=types[one]), (views[one],)),
        ]

    def step(self, rng: np.random.Generator, phantoms: int) -> list[Lesson]:
        """The lessons of `phantoms` phantoms with one lesion and as many with two."""
        lessons: list[Lesson] = []
        for _ in range(phantoms):
            lessons += self.of_one_lesion(rng) + self.of_two_lesions(rng)
        return lessons
