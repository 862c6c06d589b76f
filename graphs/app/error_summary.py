"""What code that is not ours raised, in a line: the error, and the place in that code where it came from."""

import traceback
from pathlib import Path

LIBRARIES = ("site-packages", "dist-packages", "importlib", "<frozen importlib._bootstrap>")
OURS = Path(__file__).parent


def summary_of(error: BaseException, own: str | None = None) -> str:
    """`KeyError: 'lesion' (line 12 of my_graph.py, in answer: state["lesion"])`.

    The place is the last line that ran in the file `own`, else the last one outside libraries, this folder and the
    caller.
    """
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    foreign = [frame for frame in frames if frame.filename != frames[0].filename]  # the first is who caught it
    outside = [frame for frame in foreign if not _is_ours(Path(frame.filename))]
    places = [frame for frame in frames if frame.filename == own] or outside
    if not places:
        return said
    last = places[-1]
    code = f": {last.line}" if last.line else ""
    return f"{said} (line {last.lineno} of {Path(last.filename).name}, in {last.name}{code})"


def _is_ours(path: Path) -> bool:
    return path.parent == OURS or any(part in LIBRARIES for part in path.parts)
