"""`gymnasium.make("MedVista/VQA-v0", graph=...)` steps through the graph turn by turn; said again from its trajectory
(`rl.trajectories.replay`), a second episode has the same prompts, images, reward and rows."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gymnasium

import rl.rollout.gym as environment
from agent.chat.record.ledger import Ledger
from agent.policies.policy import Completion
from rl.features.case import CONTEXT, TOOLS, TURN_TOKENS, WARM, Case, expect
from rl.trajectories.record import Trajectory
from rl.trajectories.replay import replayed

TITLE = "Gymnasium, replay"


async def prove(case: Case) -> str | None:
    """Steps through one episode, and again; both in a thread, as an environment is no coroutine."""
    return await asyncio.to_thread(_twice, case)


def _twice(case: Case) -> None:
    how: dict[str, Any] = {
        "tasks": [case.task],
        "tools": TOOLS,
        "graph": case.graph,
        "images": case.shared.store.folder,
    }
    gym: Any = gymnasium.make(environment.ID, **how, context=CONTEXT, turn_tokens=TURN_TOKENS)
    try:
        policy = case.reading_policy()

        def says(told: dict[str, Any]) -> Completion:
            pictures = [case.shared.store.get(image).display() for image in told["images"]]
            sampling = replace(WARM, structure=told["structure"])
            return asyncio.run(policy.generate(told["token_ids"], pictures, sampling))

        prompts, first = _episode(gym, says)
        expect(first.rewards["answer"] == 1.0, f"Got the rewards {first.rewards} of a right answer, expected 1.0.")
        again, second = _episode(gym, replayed(first, case.shared.family))
        expect(again == prompts, f"Got the prompts of {len(again)} steps in the replay, expected those of the first.")
        expect(second.reward == first.reward, f"Got the reward {second.reward} in the replay, not {first.reward}.")
        expect(_trained(second) == _trained(first), "Got other rows in the replay than in the first episode.")
    finally:
        gym.close()


def _trained(trajectory: Trajectory) -> list[Any]:
    """Each row's ids, images, and sampled ranges with their log-probabilities."""
    rows = map(Ledger.from_plain, trajectory.rows)
    return sorted(
        (row.ids, row.images, [(turn.start, turn.end, turn.logprobs) for turn in row.sampled]) for row in rows
    )


def _episode(gym: Any, says: Callable[[Any], Completion]) -> tuple[list[Any], Trajectory]:
    """The prompts of an episode in which `says` speaks, and its trajectory."""
    prompts: list[Any] = []
    _, told = gym.reset(seed=0)
    ended = False
    while not ended:
        prompts.append((told["token_ids"], told["images"]))
        _, _, terminated, truncated, told = gym.step(says(told))
        ended = terminated or truncated
    return sorted(prompts), gym.unwrapped.trajectory()
