"""A trajectory said again, turn by turn: through the Gymnasium environment, or to whoever else asks for turns.

A turn is found by the prompt that it was sampled behind, ids and images, not by its place in the episode: a graph that
asks for several turns at once may ask for them in another order.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from agent.ledger import Ledger
from agent.policies.policy import Completion
from rl.trajectories.record import Trajectory


def replayed(trajectory: Trajectory) -> Callable[[Mapping[str, Any]], Completion]:
    """Says each turn once: the one that was sampled behind the prompt of an environment's `info`.

    It raises LookupError where none is left: a turn that was not to be trained is not kept in a trajectory.
    """
    left: defaultdict[object, list[Completion]] = defaultdict(list)
    for each in trajectory.rows:
        ledger = Ledger.from_plain(each)
        for turn in ledger.sampled:
            placed = tuple(image for image in ledger.images if image.start < turn.start)
            ids = Ledger(ledger.ids[: turn.start], (), placed).prompt_ids()
            why: Any = turn.finish_reason
            said = Completion(ledger.ids[turn.start : turn.end], turn.logprobs, why, turn.versions, turn.start)
            left[tuple(ids), tuple(each.image for each in placed)].append(said)

    def say(told: Mapping[str, Any]) -> Completion:
        ids, images = tuple(told["token_ids"]), tuple(told["images"])
        if not left[ids, images]:
            raise LookupError(
                f"Got a prompt of {len(ids)} ids and {len(images)} images, expected one behind which a turn of this "
                "trajectory is left. Are task, graph, tools and checkpoint the same? A turn that was not to be trained "
                "(a grammar held it, or `rl.trained_calls` leaves it out) is not kept: say it yourself."
            )
        return left[ids, images].pop(0)

    return say
