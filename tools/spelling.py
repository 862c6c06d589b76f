"""What a misspelt name was meant to be."""

import difflib
from collections.abc import Iterable


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """ " Did you mean zoom_in?", to be put behind an error's message; empty where no known name is like it."""
    near = difflib.get_close_matches(got, list(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(near)}?" if near else ""
