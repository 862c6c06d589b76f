"""A policy that follows a script: the expert that makes warm-up trajectories, and tests.

A script is asked for one turn at a time, knowing how many it has written and what it heard last. A `Turn` is written
as the checkpoint's own family writes it, so that what is imitated is what the checkpoint will speak; text stands as it
is. It is encoded once; its log-probabilities are 0 (the script was certain), so its trajectories can teach but not be
weighted by importance.
"""

from collections.abc import Callable, Sequence

from PIL.Image import Image

from agent.chat.families.family import Family
from agent.policies.policy import Completion, PolicyError, Sampling
from agent.protocol import Turn

Script = Callable[[int, str], Turn | str]
"""(turns written so far, what was heard after the last) -> the next turn; a text without its end token."""


class ScriptedPolicy:
    """Plays a script; a sequence of turns is played in order."""

    def __init__(self, script: Script | Sequence[Turn | str], family: Family, version: str = "script") -> None:
        self._script = script if callable(script) else _in_order(script)
        self._family = family
        self._version = version

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The script's next turn; cut at `sampling.max_tokens` like any policy's."""
        chat = self._family.decode(token_ids)
        turn = self._script(self._family.turns_written(chat), self._family.last_observation(chat))
        text = self._family.write(turn) if isinstance(turn, Turn) else turn
        ids, _ = self._family.encode(text + self._family.ends[0])
        kept = tuple(ids[: sampling.max_tokens])
        finish = "stop" if len(kept) == len(ids) else "length"
        return Completion(kept, (0.0,) * len(kept), finish, (self._version,), None)


def _in_order(turns: Sequence[Turn | str]) -> Script:
    def play(turn: int, _: str) -> Turn | str:
        if turn >= len(turns):
            raise PolicyError(f"The script holds {len(turns)} turns, was asked for turn {turn + 1}; write it longer.")
        return turns[turn]

    return play
