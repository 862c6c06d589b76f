"""What a base can do, measured on lessons it has never had: `python -m rl.toy.measure FOLDER`.

Greedy turns of transformers on held-out phantoms, per question: how often the turn is right (for a call, or a box that
is answered: every coordinate within CALL_TOLERANCE of the expert's), with a 95 % bootstrap interval. With `--cells` on
real microscopy, on validation images, which no lesson is made of.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from tqdm import tqdm

from agent.chat.loading import family_in
from agent.encoder import Encoder
from agent.protocol import MalformedTurn, Turn, parse_turn
from rl.evaluation.statistics import bootstrap_mean
from rl.toy.lessons import Lesson, Lessons, Teacher

HELD_OUT = 1_000_003
"""The random stream of held-out lessons; teaching uses the streams (seed, 20, step)."""
CALL_TOLERANCE = 40
"""0-999 units by which a called coordinate may differ from the expert's: two thirds of what a zoom forgives."""


def measure(folder: Path, phantoms: int, cells: Path | None = None) -> dict[str, dict[str, float]]:
    """Per question: share of right turns, its interval, and n. `cells`: where validation images of real cells lie."""
    from transformers import AutoModelForImageTextToText

    from rl.rollout.run_parts import embedded_tools

    encoder = family_in(folder)
    model = cast(Any, AutoModelForImageTextToText).from_pretrained(folder, dtype=torch.float32).eval()
    section = embedded_tools().prompt_section()
    teacher: Lessons = Teacher(section)
    if cells is not None:
        from rl.toy.cell_lessons import CellTeacher

        teacher = CellTeacher(section, encoder, cells, "validation")
    right: dict[str, list[float]] = defaultdict(list)
    for index in tqdm(range(phantoms), desc="measure", unit="phantom pair"):
        for lesson in teacher.step(np.random.default_rng([HELD_OUT, index]), 1):
            for k, exchange in enumerate(lesson):
                said = say(model, encoder, lesson[: k + 1])
                right[exchange.skill].append(float(is_right(exchange.given + said, exchange.given + exchange.target)))
    estimates = {name: bootstrap_mean(values) for name, values in sorted(right.items())}
    return {name: {"right": e.mean, "low": e.low, "high": e.high, "n": float(e.n)} for name, e in estimates.items()}


def say(model: Any, encoder: Encoder, lesson: Lesson) -> str:
    """The model's greedy turn in the last exchange, after the ones before as they were taught."""
    seen = [view.image for exchange in lesson for view in exchange.views]
    before = "".join(exchange.prompt + exchange.given + exchange.target for exchange in lesson[:-1])
    text = before + lesson[-1].prompt + lesson[-1].given
    ids, _ = encoder.encode(text, [encoder.grid(image) for image in seen])
    prompt = torch.tensor([ids])
    out = model.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        **encoder.forward_inputs(prompt, encoder.mm_inputs(seen)),
        max_new_tokens=40,
        do_sample=False,
    )
    return encoder.decode_turn(out[0, len(ids) :].tolist())


def is_right(said: str, target: str) -> bool:
    """Whether a turn says what the lesson's does; coordinates, called or answered, may differ by CALL_TOLERANCE."""
    try:
        got, expected = parse_turn(said), parse_turn(target.removesuffix("<|im_end|>"))
    except MalformedTurn:
        return False
    if expected.answer is not None:
        return got.answer == expected.answer or _boxes_near(got.answer or "", expected.answer)
    return [call.name for call in got.calls] == [call.name for call in expected.calls] and _near(got, expected)


def _near(got: Turn, expected: Turn) -> bool:
    for one, other in zip(got.calls, expected.calls, strict=True):
        for name, wanted in other.arguments.items():
            if isinstance(wanted, list) and not _within(one.arguments.get(name), cast(list[int], wanted)):
                return False
    return True


def _boxes_near(got: str, expected: str) -> bool:
    """Whether both answers are boxes, and near."""
    if not expected.startswith("["):
        return False
    try:
        return _within(json.loads(got), json.loads(expected))
    except json.JSONDecodeError:
        return False


def _within(got: object, expected: list[int]) -> bool:
    """Whether `got` is a list of whole numbers, each within CALL_TOLERANCE of the expected one."""
    if not isinstance(got, list) or len(cast(list[object], got)) != len(expected):
        return False
    pairs = zip(cast(list[object], got), expected, strict=True)
    return all(isinstance(value, int) and abs(value - right) <= CALL_TOLERANCE for value, right in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a base can see and write.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--phantoms", type=int, default=60, help="of each sort")
    parser.add_argument("--cells", type=Path, metavar="ROOT", help="measure on real microscopy, validation images")
    args = parser.parse_args()
    figures = measure(args.folder, args.phantoms, args.cells)
    for name, figure in figures.items():
        print(f"{name:70s} {figure['right']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}] n={figure['n']:.0f}")
    (args.folder / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
