"""What one episode of a graph proves: each row by itself, and all of them against what the server sampled.

A row must pass the trajectory check (placeholders, grids and pixels of its images, ranges and log-probabilities), and
transformers must give its sampled ids the log-probabilities that vLLM gave. Together, the rows must hold every call
that is to be trained once, id by id as the server returned it, and no other.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.ledger import Ledger
from agent.policies.policy import Completion
from rl.endings import BUG
from rl.exactness import Replay
from rl.rollout import RunParts
from rl.trajectories.check import RefusedError, training_row

LIMIT = 0.01
"""Mean absolute difference of log-probabilities (natural log) that float32 engines stay far below, about 1e-6, and
that a misaligned token, mask or pixel exceeds by far."""

NEVER_ASKED = "the graph ended without asking the policy: does it use the model that it is given?"


@dataclass(frozen=True)
class RowReport:
    """One row."""

    episode: int
    row: int
    nodes: list[str]
    """Who made its trained calls, in order; of a graph of turns nobody says."""
    ids: int
    sampled: int
    """Ids that train."""
    images: int
    mean: float
    """Mean absolute difference of log-probabilities; NaN without trained ids."""
    most: float
    faults: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class EpisodeReport:
    """One episode."""

    episode: int
    outcome: str
    calls: int
    """Calls of the policy."""
    trained: int
    """Of these, how many train."""
    rows: list[RowReport]
    faults: list[str]
    """Of the rows taken together."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and not any(row.faults for row in self.rows)


def check_episode(
    number: int, state: Any, completions: Sequence[Completion], parts: RunParts, replay: Replay
) -> EpisodeReport:
    """The report of an episode; `completions` are what the server gave in it, in any order."""
    if not completions:
        return EpisodeReport(number, str(state["outcome"]), 0, 0, [], [NEVER_ASKED, *_bug_of(state)])
    ledgers = [Ledger.from_plain(each) for each in (state["ledger"], *state.get("further", ()))]
    spoken: list[list[dict[str, str]]] = state.get("spoken", [])
    rows = [
        _row(number, at, ledger, [each["node"] for each in spoken[at]] if spoken else [], parts, replay)
        for at, ledger in enumerate(ledgers)
    ]
    faults = [*_bug_of(state), *together(ledgers, state, completions)]
    trained = sum(len(ledger.sampled) for ledger in ledgers)
    return EpisodeReport(number, str(state["outcome"]), len(completions), trained, rows, faults)


def _bug_of(state: Any) -> list[str]:
    return [f"a bug of the graph ended it: {state['bug']}"] if state["outcome"] == BUG else []


def _row(number: int, at: int, ledger: Ledger, nodes: list[str], parts: RunParts, replay: Replay) -> RowReport:
    sampled = sum(turn.end - turn.start for turn in ledger.sampled)
    told = (number, at, nodes, len(ledger), sampled, len(ledger.images))
    nothing = float("nan")
    try:
        row = training_row(ledger, parts.encoder, parts.store, idle=not ledger.sampled)
    except RefusedError as reason:
        return RowReport(*told, nothing, nothing, [str(reason)])
    differences = replay.differences(row).differences
    if not differences:
        return RowReport(*told, nothing, nothing)
    mean, most = sum(differences) / len(differences), max(differences)
    far = f"its log-probabilities are {mean:.4f} from those of transformers on average, expected under {LIMIT}"
    return RowReport(*told, mean, most, [] if mean < LIMIT else [far])


def together(ledgers: Sequence[Ledger], state: Any, completions: Sequence[Completion]) -> list[str]:
    """What is wrong with an episode's rows taken together, in words."""
    trained = Counter(ledger.ids[turn.start : turn.end] for ledger in ledgers for turn in ledger.sampled)
    given = Counter(tuple(each.token_ids) for each in completions)
    made: list[dict[str, Any]] | None = state.get("made")
    if made is None:  # a graph of turns: all that was sampled trains
        return [] if trained == given else ["its trained ranges are not what the server sampled"]
    faults: list[str] = []
    if Counter(tuple(call["ids"]) for call in made) != given:
        faults.append(f"{len(made)} calls are recorded, of {len(completions)} that the server answered")
    places: dict[str, list[tuple[int, ...]]] = {}
    for ledger, row in zip(ledgers, state["spoken"], strict=True):
        for turn, call in zip(ledger.sampled, row, strict=True):
            places.setdefault(call["sample"], []).append(ledger.ids[turn.start : turn.end])
    for call in made:
        found = places.pop(call["sample"], [])
        if len(found) != int(call["picked"]):
            wanted = "one row" if call["picked"] else "none, as it is not to be trained"
            faults.append(f"a call of {call['node'] or 'no node'} is trained in {len(found)} rows, expected {wanted}")
        elif found and found[0] != tuple(call["ids"]):
            faults.append(f"a call of {call['node'] or 'no node'} is trained with other ids than were sampled")
    if places:
        faults.append(f"{len(places)} trained ranges belong to no call")
    return faults
