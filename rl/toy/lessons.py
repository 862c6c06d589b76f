"""What the base is taught: to see, and to write in the agent's format. Never an episode, never when to look.

A lesson is a short conversation, as in any vision-language base's instruction data: pictures come, now and then a
second one later, and every question about them is answered in one turn. Read a view ("What type is the lesion?"), guess
from the whole picture, say a quadrant, read a measurement out of a text, write down a call. A call is told ("Call
zoom_in on the lesion."), or its turn was begun ("I must look closer.") under a question that has nothing to do with it;
the thought is then given, not learnt. What a call would have returned never follows it. Beside the turns, each image
token carries a dense label (what lies in its cell), learnt through the same output head.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from agent.prompt import END_OF_TURN, IMAGE, opening, system_prompt, user_turn
from agent.protocol import Turn, render_turn
from rl.tasks.demonstrator import LOOK, SEEN
from rl.tasks.phantoms.expert import MEASURE, measure_call, reading, zoom_call
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
CLOSE_VIEWS: dict[Kind, int] = {"name": 3, "count": 6}
"""Of each phantom with one lesion; counting is the hardest to learn."""
DISTANCES = 3
"""Read out of texts, for each phantom with two lesions."""

Sees = Literal["thumbnail", "close view", "text"]


@dataclass(frozen=True)
class View:
    """A picture and what its cells hold: a word per cell, row by row."""

    image: Image.Image
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """One question with the turn that answers it."""

    question: str
    turn: Turn
    sees: Sees
    """What the answer can be read from."""
    views: tuple[View, ...] = ()
    """Pictures that come with the question."""
    above: str = ""
    """Text that stands above the question."""
    begun: bool = False
    """Whether the turn's thought is given, and only what follows it is to be learnt."""


@dataclass(frozen=True)
class Exchange:
    """The prompt that leads to a turn, from the end of the turn before, and the turn to learn."""

    prompt: str
    given: str
    """The beginning of the turn, where it is not to be learnt."""
    target: str
    views: tuple[View, ...]
    """The pictures new in the prompt."""
    skill: str
    """What it asks for, in a few words."""


Lesson = tuple[Exchange, ...]
"""A conversation."""


class Lessons(Protocol):
    """A source of lessons: `Teacher`, or that of real cells (rl/toy/cell_lessons.py)."""

    def step(self, rng: np.random.Generator, phantoms: int, /) -> list[Lesson]:
        """The lessons of so many pictures of each sort."""
        ...


def _view(picture: Image.Image, box: tuple[int, int, int, int], lesions: tuple[Lesion, ...], close: bool) -> View:
    """The square `box` of `picture`; each cell that a lesion's bounding box touches is labelled by what it shows of it.

    In a close view that is the number of calcifications in the cell, or the type where there are none.
    """
    step = (box[2] - box[0]) / CELLS
    words: list[str] = []
    for row in range(CELLS):
        for column in range(CELLS):
            x, y = box[0] + column * step, box[1] + row * step
            word = NOTHING
            for lesion in lesions:
                x1, y1, x2, y2 = lesion.box
                if x1 < x + step and x2 > x and y1 < y + step and y2 > y:
                    word = _close_word(lesion, x, y, step) if close else "lesion"
            words.append(word)
    return View(picture.crop(box), tuple(words))


def _close_word(lesion: Lesion, x: float, y: float, step: float) -> str:
    spots = [(lesion.x + dx, lesion.y + dy) for dx, dy in lesion.calcifications]
    inside = sum(x <= sx < x + step and y <= sy < y + step for sx, sy in spots)
    return str(inside) if inside else lesion.type


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

    def talk(self, rng: np.random.Generator, first: tuple[View, ...], *asked: Ask) -> Lesson:
        """The questions one after another; the pictures `first` come with the first of them."""
        system = self.systems[int(rng.integers(len(self.systems)))]
        exchanges: list[Exchange] = []
        shown = 0
        for ask in asked:
            views = ask.views if exchanges else first + ask.views
            if exchanges:
                lines = [f"Image {shown + number}: {IMAGE}" for number in range(1, len(views) + 1)]
                prompt = user_turn("\n".join([*lines, *filter(None, [ask.above])]), ask.question)
            else:
                prompt = opening(system, "\n".join(filter(None, [ask.above, ask.question])), len(views))
            shown += len(views)
            given = render_turn(Turn(ask.turn.thought)) if ask.begun else ""
            target = render_turn(ask.turn).removeprefix(given) + END_OF_TURN
            does = f"({ask.turn.thought})" if ask.begun else _without_place(ask.question)[:48]
            skill = f"{does} [{ask.sees}{', later' if exchanges else ''}]"
            exchanges.append(Exchange(prompt, given, target, views, skill))
        return tuple(exchanges)

    def of_one_lesion(self, rng: np.random.Generator) -> list[Lesson]:
        """Lessons from a phantom with one lesion: where it is, what it is, how many calcifications, which quadrant."""
        kind: Kind = "count" if rng.uniform() < 0.6 else "name"
        lesion = place(rng, -1 if rng.uniform() < 0.5 else 1, calcified=kind == "count")
        picture = Image.fromarray(draw(rng, (lesion,)))
        whole = (_view(picture, (0, 0, SIZE, SIZE), (lesion,), close=False),)
        read = Turn(SEEN, answer=gold_answer(kind, (lesion,), (1, 1)))
        call = _call(rng, CALL_ZOOM, Turn(LOOK, calls=(zoom_call(lesion.x, lesion.y),)), "name", "count", "side")
        side = Ask(QUESTIONS["side"], Turn(SEEN, answer=gold_answer("side", (lesion,), (1, 1))), "thumbnail")
        guess = Ask(QUESTIONS[kind], read, "thumbnail")
        closer = [
            Ask(QUESTIONS[kind], read, "close view", (_closer(rng, picture, lesion),)) for _ in range(CLOSE_VIEWS[kind])
        ]
        return [
            self.talk(rng, whole, *shuffled(rng, call, side if rng.uniform() < 0.5 else guess)),
            self.talk(rng, whole, side, closer[0]),
            *(self.talk(rng, (), each) for each in closer[1:]),
        ]

    def of_two_lesions(self, rng: np.random.Generator) -> list[Lesson]:
        """Lessons from a phantom with a lesion in each lung: both places, each type, the same or not, a distance."""
        left, right = place(rng, -1, calcified=False), place(rng, 1, calcified=False)
        if rng.uniform() < 0.4:
            right = replace(right, type=left.type)
        pair = (left, right)
        picture = Image.fromarray(draw(rng, pair))
        whole = (_view(picture, (0, 0, SIZE, SIZE), pair, close=False),)
        views = (_closer(rng, picture, left), _closer(rng, picture, right))
        calls = tuple(zoom_call(lesion.x, lesion.y) for lesion in pair)
        types = [lesion.type for lesion in pair]
        same = gold_answer("compare", pair, (1, 1))
        one = int(rng.integers(2))
        measure = (measure_call(left, right),)
        zoom_both = _call(rng, CALL_ZOOM_BOTH, Turn(LOOK, calls=calls), "compare", "measure")
        zoom_one = Ask(CALL_ZOOM_ONE[one], Turn(LOOK, calls=(calls[one],)), "thumbnail")
        measured = _call(rng, CALL_MEASURE, Turn(MEASURE, calls=measure), "compare", "measure")
        guess_same = Ask(QUESTIONS["compare"], Turn(SEEN, answer=same), "thumbnail")
        guess_far = Ask(QUESTIONS["measure"], Turn(SEEN, answer=f"{round(rng.uniform(60, 260))} mm"), "thumbnail")
        told = [
            Ask(QUESTIONS["measure"], Turn(SEEN, answer=said), "text", above=f"Distance: {said}.")
            for said in (f"{rng.uniform(20, 400):.1f} mm" for _ in range(DISTANCES))
        ]
        name, other = (
            Ask(QUESTIONS["name"], Turn(SEEN, answer=types[k]), "close view", (views[k],)) for k in (one, 1 - one)
        )

        def compared(first_image: int) -> Ask:
            return Ask(QUESTIONS["compare"], Turn(reading(types, first_image), answer=same), "close view", views)

        return [
            self.talk(rng, whole, *shuffled(rng, zoom_both, zoom_one)),
            self.talk(rng, whole, measured, compared(2)),
            self.talk(rng, whole, guess_same if rng.uniform() < 0.6 else guess_far, *told),
            self.talk(rng, (), compared(1)),
            self.talk(rng, (), name, other),
        ]

    def step(self, rng: np.random.Generator, phantoms: int) -> list[Lesson]:
        """The lessons of `phantoms` phantoms with one lesion and as many with two."""
        lessons: list[Lesson] = []
        for _ in range(phantoms):
            lessons += self.of_one_lesion(rng) + self.of_two_lesions(rng)
        return lessons


def _call(rng: np.random.Generator, told: str, turn: Turn, *kinds: Kind) -> Ask:
    """A call: told to, told to after some question, or begun under some question, whichever it is."""
    question = QUESTIONS[kinds[int(rng.integers(len(kinds)))]]
    way = rng.uniform()
    if way < 0.5:
        return Ask(question, turn, "thumbnail", begun=True)
    return Ask(told, turn, "thumbnail", above=question if way < 0.75 else "")


def _without_place(question: str) -> str:
    """On one line, and without the box that it points to: the same for all questions of a kind."""
    return re.sub(r"\[[\d, ]+\]", "[...]", question.replace("\n", " "))


def shuffled(rng: np.random.Generator, *asked: Ask) -> list[Ask]:
    return [asked[index] for index in rng.permutation(len(asked))]
