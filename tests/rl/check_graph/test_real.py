"""Every shape of graph on a real vLLM: its rows are exact, and a row that is not is seen."""

from pathlib import Path
from typing import Any

import pytest

from agent.chat.loading import family_in
from agent.policies.policy import Sampling
from agent.policies.served import ServedPolicy
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from agent.serving.versions import LiveVersions
from graphs.app.default_checkpoint import embedded, open_checkpoint
from rl.check_graph.__main__ import main
from rl.check_graph.alignment import check_episode
from rl.check_graph.episodes import Watched, questions
from rl.config import ROOT, Config
from rl.rollout.run_parts import open_parts
from rl.training.exactness import Replay
from tools.images.store import ImageStore

CHECKPOINT = embedded()
SHAPES = Path(__file__).parents[1] / "rollout" / "shapes"
EXAMPLES = ROOT / "examples"
CONTEXT = 1024
GRAPHS = {
    "reasoning": 1,
    "no_tools": 1,
    "second_opinion": 1,
    "verify": 1,
    "compare_prior": 2,
    str(EXAMPLES / "agent.py"): 1,
    str(SHAPES / "planner.py"): 1,
    str(SHAPES / "person.py"): 1,
    str(SHAPES / "approval.py"): 1,
    str(EXAMPLES / "debate.py"): 1,
    str(EXAMPLES / "tiles.py"): 1,
    str(EXAMPLES / "second_try.py"): 1,
}
"""Each with the images of a question."""
SAMPLING = Sampling(temperature=1.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The URL of a server with the embedded base."""
    options = ServerOptions(max_model_len=CONTEXT, max_num_seqs=16)
    log = tmp_path_factory.mktemp("server") / "vllm.log"
    with VLLMServer(open_checkpoint(CHECKPOINT), options, log=log, progress=False) as started:
        yield started.base_url


@pytest.fixture(scope="module")
def replay() -> Replay:
    """The embedded base in transformers."""
    return Replay(CHECKPOINT, family_in(CHECKPOINT))


@pytest.mark.slow
@pytest.mark.parametrize("graph", list(GRAPHS), ids=lambda name: Path(name).stem)
async def test_every_shape_is_exact(server: str, replay: Replay, tmp_path: Path, graph: str) -> None:
    config = Config.model_validate({"name": "t", "graph": graph, "episode": {"context": CONTEXT}})
    store = ImageStore(tmp_path)
    parts = open_parts(config, family_in(CHECKPOINT), store)
    policy = Watched(ServedPolicy(server, LiveVersions("base")))
    (task,) = questions(store, 1, GRAPHS[graph], seed=0)
    state: Any = await parts.ask(task, parts.episode(policy, SAMPLING))
    report = check_episode(1, state, policy.completions, parts, replay)
    assert report.sound, report
    assert report.trained == report.calls >= 1
    assert all(row.mean < 1e-3 for row in report.rows)

    ledger, *further = state["rows"]
    off_by_one = {**ledger, "ids": [*ledger["ids"][1:], 0], "images": [[*each] for each in ledger["images"]]}
    for each in off_by_one["images"]:
        each[1] -= 1
    unlike = {**ledger, "sampled": [[a, b, [-2.0] * (b - a), *rest] for a, b, _, *rest in ledger["sampled"]]}
    for broken in (off_by_one, unlike):
        report = check_episode(1, {**state, "rows": [broken, *further]}, policy.completions, parts, replay)
        assert not report.sound and report.rows[0].faults


@pytest.mark.slow
def test_the_command(server: str, capsys: Any) -> None:
    arguments = [str(EXAMPLES / "tiles.py"), "--episodes", "2", "--server", server, f"episode.context={CONTEXT}"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len([line for line in shown if line.endswith(" ok")]) == 10  # two episodes of five rows
    assert shown[-1].startswith("EXACT: 2 episodes of ")
    assert main([*arguments, "rl.trained_calls.nodes=[nobody]"]) == 1
    assert "NOTHING TRAINS" in capsys.readouterr().out
    assert main(["no/such.py:factory"]) == 2
