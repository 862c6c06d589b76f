"""`python -m rl.check_graph`: episodes sampled on a vLLM server are exact. Placeholders, grids and pixels agree, vLLM
and transformers agree on every trained log-probability, and every call that trains stands in one row, id by id."""

from rl.check_graph.episodes import check_episodes
from rl.check_graph.table import verdict
from rl.features.case import CHECKPOINT, Case, expect

TITLE = "check_graph"
SERVED = True
EPISODES = 2


async def prove(case: Case) -> str | None:
    """Runs the check on two episodes."""
    server = case.shared.server.running.base_url
    reports = await check_episodes(case.parts().config, EPISODES, 2, CHECKPOINT, server, case.folder)
    exact, words = verdict(case.graph, reports)
    faults = [fault for each in reports for fault in (*each.faults, *(f for row in each.rows for f in row.faults))]
    expect(exact, " ".join([words, *faults]))
    return None
