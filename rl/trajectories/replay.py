"""A trajectory said again, turn by turn: through the Gymnasium environment, or to whoever else asks for turns.

A turn is found by the prompt that it was sampled behind, ids and images, not by its place in the episode: a graph that
asks for several turns at once may ask for them in another order.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from agent.chat.families.family import Family
from agent.chat.record.ledger import Ledger
from agent.encoder import Span
from agent.policies.policy import Completion
from rl.trajectories.record import Trajectory


def replayed(trajectory: Trajectory, family: Family) -> Callable[[Mapping[str, Any]], Completion]:
    """Says each turn once: the one that was sampled behind the prompt of an environment's `info`.

    It raises LookupError where none is left: what a fork shares with its parent is in the parent's trajectory.
    """
    left: defaultdict[object, list[Completion]] = defaultdict(list)
    for row in map(Ledger.from_plain, (*trajectory.rows, *trajectory.untrained)):
        for turn in row.sampled:
            placed = [image for image in row.images if image.start < turn.start]
            spans = [Span(image.start, image.length, image.grid) for image in placed]
            ids = family.prompt(row.ids[: turn.start], spans)
            why: Any = turn.finish_reason
            said = Completion(row.ids[turn.start : turn.end], turn.logprobs, why, turn.versions, turn.start)
            left[tuple(ids), tuple(image.image for image in placed)].append(said)

    def say(told: Mapping[str, Any]) -> Completion:
        ids, images = tuple(told["token_ids"]), tuple(told["images"])
        if not left[ids, images]:
            raise LookupError(
                f"Got a prompt of {len(ids)} ids and {len(images)} images, expected one behind which a turn of this "
                "trajectory is left. Are task, graph, tools and checkpoint the same, and is it no fork of another?"
            )
        return left[ids, images].pop(0)

    return say
