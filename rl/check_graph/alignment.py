"""What one episode of a graph proves: each row by itself, and all of them against what the server sampled.

A row must pass the trajectory check (placeholders, grids and pixels of its images, ranges and log-probabilities), and
transformers must give its sampled ids the log-probabilities that vLLM gave. Together, the rows must hold every call
that is to be trained once, id by id as the server returned it, and no other.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.chat.record.ledger import Ledger
from agent.policies.policy import Completion
from rl.rollout.run_parts import RunParts
from rl.training.exactness import Replay
from rl.trajectories.check import RefusedError, training_row
from rl.trajectories.finished_episode import BUG, FinishedEpisode

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
    """Who made its trained calls, in order."""
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
    number: int, state: FinishedEpisode, completions: Sequence[Completion], parts: RunParts, replay: Replay
) -> EpisodeReport:
    """The report of an episode; `completions` are what the server gave in it, in any order."""
    if not completions:
        return EpisodeReport(number, str(state["outcome"]), 0, 0, [], [NEVER_ASKED, *_bug_of(state)])
    ledgers = list(map(Ledger.from_plain, state["rows"]))
    rows = [_row(number, at, ledger, parts, replay) for at, ledger in enumerate(ledgers)]
    faults = [*_bug_of(state), *faults_across_rows(ledgers, state["made"], completions)]
    trained = sum(len(ledger.sampled) for ledger in ledgers)
    return EpisodeReport(number, str(state["outcome"]), len(completions), trained, rows, faults)


def _bug_of(state: FinishedEpisode) -> list[str]:
    return [f"a bug of the graph ended it: {state['bug']}"] if state["outcome"] == BUG else []


def _row(number: int, at: int, ledger: Ledger, parts: RunParts, replay: Replay) -> RowReport:
    nodes = [turn.node for turn in ledger.sampled]
    sampled = sum(turn.end - turn.start for turn in ledger.sampled)
    told = (number, at, nodes, len(ledger), sampled, len(ledger.images))
    nothing = float("nan")
    try:
        row = training_row(ledger, parts.family, parts.store, idle=not ledger.sampled)
    except RefusedError as reason:
        return RowReport(*told, nothing, nothing, [str(reason)])
    differences = replay.differences(row).differences
    if not differences:
        return RowReport(*told, nothing, nothing)
    mean, most = sum(differences) / len(differences), max(differences)
    far = f"its log-probabilities are {mean:.4f} from those of transformers on average, expected under {LIMIT}"
    return RowReport(*told, mean, most, [] if mean < LIMIT else [far])


def faults_across_rows(
    ledgers: Sequence[Ledger], made: Sequence[dict[str, Any]], completions: Sequence[Completion]
) -> list[str]:
    """What is wrong with an episode's rows taken together, in words."""
    given = Counter(tuple(each.token_ids) for each in completions)
    faults: list[str] = []
    if Counter(tuple(call["ids"]) for call in made) != given:
        faults.append(f"{len(made)} calls are recorded, of {len(completions)} that the server answered")
    places: dict[str, list[tuple[int, ...]]] = {}
    for ledger in ledgers:
        for turn in ledger.sampled:
            places.setdefault(turn.sample, []).append(ledger.ids[turn.start : turn.end])
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
