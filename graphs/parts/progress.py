"""What a graph says while it works, in the stream that LangGraph calls `custom`: turns and looks, as they end.

Plain values, so a server can send them on: `{"event": "spoke", "versions": [...]}` for a turn of the policy, and
`{"event": "looked", "tool": ..., "status": ..., "text": ..., "images": [ids]}` for each call of a tool. Where nobody
listens nothing is written.
"""

from collections.abc import Callable, Sequence
from typing import Any

Write = Callable[[Any], None]


def report_turn(versions: Sequence[str], write: Write) -> None:
    """A turn has ended, sampled by these versions. `write` is the run's writer."""
    write({"event": "spoke", "versions": list(versions)})


def report_calls(results: Sequence[dict[str, Any]], write: Write) -> None:
    """Calls have been run; `results` are those of a state."""
    for result in results:
        told = {"tool": result["call"]["name"], "status": result["status"], "text": result["text"]}
        write({"event": "looked", **told, "images": list(result["images"])})
