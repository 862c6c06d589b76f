"""A vLLM server's weights are swapped behind an episode's first turn: the episode goes on, the turns before and behind
name the versions that sampled them, and its rows are sound."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from PIL.Image import Image

from agent.policies.policy import Completion, Sampling
from rl.features.case import Case, expect
from rl.features.server import Server

TITLE = "swap in mid-episode"
SERVED = True
TOLD = "Call zoom_in on the lesion."
"""A question after which the embedded base calls a tool, more often than not."""
TRIES = 16
"""Episodes that are sampled until one has a second turn."""


@dataclass
class Swapping:
    """The server's policy, which others swap behind its first turn."""

    server: Server
    versions: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The server's completion."""
        completion = await self.server.policy.generate(token_ids, images, sampling)
        self.versions.append(completion.versions)
        if len(self.versions) == 1:
            await self.server.swap()
        return completion


async def prove(case: Case) -> str | None:
    """Episodes until one speaks again behind the swap."""
    alone = case.reading_policy()
    await case.play(alone)
    if len(alone.spoken) == 1:
        return "it calls its policy once, so there is no middle"
    told = replace(case.task, question=TOLD)
    for tried in range(TRIES):
        before = case.shared.server.running.checkpoint.version
        policy = Swapping(case.shared.server)
        state = await case.play(policy, asked=told if tried % 2 else None)
        after = case.shared.server.running.checkpoint.version
        if len(policy.versions) == 1:
            continue
        named = {version for turn in policy.versions for version in turn}
        expect(named == {before, after}, f"Got turns of {sorted(named)}, expected of {before} and {after}.")
        case.parts().training_rows(state)
        return None
    expect(False, f"Got {TRIES} episodes of one turn, expected one that goes on behind a swap.")
    return None
