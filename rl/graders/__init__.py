"""Rules that compare an answer with the gold one, one file each; registry.py says what all of them keep to."""

from rl.graders._text import normalised
from rl.graders.exact import exact
from rl.graders.millimetres import millimetres
from rl.graders.registry import find, grade, graders, wrong_answer

__all__ = ["exact", "find", "grade", "graders", "millimetres", "normalised", "wrong_answer"]
