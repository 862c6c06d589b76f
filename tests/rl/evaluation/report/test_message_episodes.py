"""Episodes of graphs, really run, as the report shows them: their turns, calls, views and answers."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.encoder import Encoder
from agent.policies.policy import Sampling
from rl.config import Config
from rl.evaluation.report.page import render_page
from rl.evaluation.report.scenes import scene
from rl.evaluation.schema import Report
from rl.rollout.run_parts import open_parts
from rl.tasks.phantoms.tasks import make
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory, record
from tests.answering import Answers, answer, looking
from tools.images.store import ImageStore
from tools.registry import load_tools

SHAPES = Path(__file__).parents[2] / "rollout" / "shapes"
EXAMPLES = Path(__file__).parents[4] / "examples"
GRAPHS = ["second_opinion", "verify", "no_tools", f"{EXAMPLES}/agent.py", f"{SHAPES}/planner.py:factory"]
GRAPHS += [f"{EXAMPLES}/{name}.py:factory" for name in ("debate", "second_try", "tiles")]


def answering(chat: str) -> str:
    """Looks once in each conversation that has a tool, then answers."""
    return looking(chat) if "zoom_in(" in chat else answer("cystic")


FinishedEpisode = Callable[..., Trajectory]


@pytest.fixture(scope="module")
def task(store: ImageStore) -> Task:
    return make(store, "test", 0)


@pytest.fixture
def played(task: Task, store: ImageStore, encoder: Encoder) -> FinishedEpisode:
    def play(graph: str, answers: Callable[[str], str] = answering) -> Trajectory:
        episode = {"context": 2048, "turn_tokens": 64}
        config = Config.model_validate({"name": "test", "graph": graph, "episode": episode})
        parts = open_parts(config, encoder, store, load_tools(["zoom_in"]))
        overrides = parts.episode(Answers(answers, encoder), Sampling(temperature=1.0))
        state = asyncio.run(parts.ask(task, overrides))
        return record("t", "trained", task, state, {"answer": 1.0}, 1.0, 0.1, origin=parts.origin)

    return play


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_turn_is_shown_as_what_it_is(graph: str, played: FinishedEpisode, store: ImageStore) -> None:
    shown = scene(played(graph), store)
    assert shown.answer is not None and not any(step.unreadable for step in shown.steps)
    assert [step.answer for step in shown.steps if step.answer] == [shown.answer]
    assert shown.steps[-1].by == "policy" and shown.steps[-1].answer == shown.answer


def test_an_agents_calls_and_views(played: FinishedEpisode, store: ImageStore) -> None:
    episode = played(f"{EXAMPLES}/agent.py")
    called, seen, answered = scene(episode, store).steps
    assert (called.thought, called.calls) == ("Closer.", ("zoom_in(box=[0, 0, 499, 499], image=1)",))
    assert [(view.number, view.width, view.height) for view in seen.views] == [(2, 256, 256)]
    assert (answered.thought, answered.answer) == ("I see it.", "cystic")
    (box,) = scene(episode, store).scans[0].boxes
    assert (box.label, box.colour) == ("2", seen.views[0].colour)


def test_a_turn_that_was_malformed_says_so_and_the_next_one_answers(played: FinishedEpisode, store: ImageStore) -> None:
    def first_wrong(chat: str) -> str:
        broken = "<think>So.</think><tool_call>{zoom}</tool_call>"
        return answering(chat) if "could not be read" in chat else broken

    broken, told, *_, answered = scene(played("verify", first_wrong), store).steps
    assert broken.unreadable and "{zoom}" in broken.text
    assert told.by == "tools" and told.text.startswith("Your turn could not be read. Got a tool call that is not JSON")
    assert answered.answer == "cystic"


def test_the_page_does_not_call_a_right_episode_unreadable(played: FinishedEpisode, store: ImageStore) -> None:
    episode = played("second_opinion")
    page = render_page("r", Report(), {"before": [episode], "after": [episode]}, store).decode()
    assert "a turn that could not be read" not in page
    answers = re.findall(r'<p class="answer"><small>answers</small> (.*?)</p>', page)
    assert answers == ["cystic", "cystic"]


def test_a_graph_that_shows_views_of_its_own(played: FinishedEpisode, store: ImageStore, tmp_path: Any) -> None:
    graph = tmp_path / "quarters.py"
    readme = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "four quarters" in block]
    graph.write_text(code)
    shown = scene(played(f"{graph}:factory"), store)
    opening = shown.steps[0]
    assert [view.number for view in opening.views] == [2, 3, 4, 5]  # beside the whole image, before the policy speaks
    assert shown.steps[-1].answer == shown.answer == "cystic"
