"""A policy that follows a script: the expert that makes warm-up trajectories, and tests.

A script is asked for one turn's text at a time, knowing how many turns it has written and the chat so far. Its text is
encoded once; its log-probabilities are 0 (it was certain), so its trajectories can teach but not be weighted by
importance.
"""

from collections.abc import Callable, Sequence

from PIL.Image import Image

from agent.encoder import Encoder
from agent.policies.policy import Completion, PolicyError, Sampling
from agent.prompt import END_OF_TURN

Script = Callable[[int, str], str]
"""(turns written so far, the last user turn's text) -> the next turn's text, without its end token."""
_TURN_START = "<|im_start|>assistant\n"
_USER_START = "<|im_start|>user\n"


class ScriptedPolicy:
    """Plays a script; a sequence of texts is played in order."""

    def __init__(self, script: Script | Sequence[str], encoder: Encoder, version: str = "script") -> None:
        self._script = script if callable(script) else _in_order(script)
        self._encoder = encoder
        self._version = version

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The script's next turn; cut at `sampling.max_tokens` like any policy's."""
        chat = self._encoder.decode(token_ids)
        last = chat.rpartition(_USER_START)[2].partition(END_OF_TURN)[0]
        text = self._script(chat.count(_TURN_START) - 1, last)
        ids, _ = self._encoder.encode(text + END_OF_TURN)
        kept = tuple(ids[: sampling.max_tokens])
        finish = "stop" if len(kept) == len(ids) else "length"
        return Completion(kept, (0.0,) * len(kept), finish, (self._version,), None)


def _in_order(turns: Sequence[str]) -> Script:
    def play(turn: int, _: str) -> str:
        if turn >= len(turns):
            raise PolicyError(f"The script holds {len(turns)} turns, was asked for turn {turn + 1}; write it longer.")
        return turns[turn]

    return play
