"""unmended: an answer after a tool that failed and was not made to run afterwards: what it rests on was never seen.

A policy may mend a call (the tool runs later in the episode) or go another way and say that it cannot tell. Answering
as if the tool had spoken is what VLMs with tools are known to do; a negative weight makes that earn less.
"""

from rl.rewards.registry import component
from rl.tasks.task import Task
from rl.trajectories.finished_episode import FinishedEpisode


@component
def unmended(task: Task, state: FinishedEpisode) -> float:
    """1 where the episode answers and the last call of some tool did not run."""
    last = {call["call"]["name"]: call["status"] for call in state.get("calls", [])}
    return float(state.get("outcome") == "answered" and any(status != "ok" for status in last.values()))
