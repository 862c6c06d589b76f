"""Graphs of any shape as episodes: what they answer, the rows that they leave, and who answers their pauses.

Every row's expected turns are written out by hand; the policy answers what it reads.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph

from agent.chat.families.family import Family
from agent.chat.record.episode import Episode
from agent.chat.record.ledger import Ledger
from agent.limits import Limits
from agent.policies.policy import Completion, Sampling
from graphs.app.adapters import adapter_of
from graphs.app.loading import find_graph
from rl.config import Config
from rl.rewards.compose import UnscoredError, score, score_group
from rl.rollout.episode import EpisodeRunner
from rl.rollout.graph import pick_of
from rl.rollout.run_parts import RunParts, open_parts
from rl.tasks.task import Task
from rl.trajectories.audit import SeenImages, check_trajectory
from rl.trajectories.check import RefusedError
from rl.trajectories.finished_episode import OUT_OF_TIME, UNREADABLE
from rl.trajectories.record import Trajectory, record
from rl.trajectories.rows import from_row, to_row
from tests.answering import LOOK, Answers, answer, looking, spoken
from tests.ledgers import turns_in
from tests.rl.one_node import ASK, one_node
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox

ROOT = Path(__file__).parents[3]
SHAPES = Path(__file__).parent / "shapes"
Gallery = tuple[ImageStore, list[Task]]
Ask = Callable[..., tuple[Any, RunParts]]


A_TASK = Task("t", "k", "?", (), "cystic", "exact")


@pytest.fixture
def ask(gallery: Gallery, encoder: Family) -> Ask:
    """The final state of an episode of the first drawn task, asked of a graph by its name."""

    def asked(
        name: str, answering: Any, deadline_s: float | None = None, context: int = 2048, **rl: Any
    ) -> tuple[Any, RunParts]:
        limits = {"context": context, "turn_tokens": 64}
        config = Config.model_validate({"name": "test", "graph": name, "episode": limits, "rl": rl})
        parts = open_parts(config, encoder, gallery[0], Toolbox(load_tools(["zoom_in"])))
        policy = Answers(answering, encoder) if callable(answering) else answering
        episode = parts.episode(policy, Sampling(temperature=1.0))
        return asyncio.run(parts.ask(gallery[1][0], episode, deadline_s)), parts

    return asked


def trained(state: Any, encoder: Family) -> list[list[str]]:
    """Per row the turns that train."""
    return turns_in(list(map(Ledger.from_plain, state["rows"])), encoder)


def kept(state: Any, parts: RunParts, task: Task) -> Trajectory:
    """The episode as the store gives it back, which training's check has passed."""
    trajectory = record("t", "rl", task, state, {"answer": 1.0}, 1.0, 0.1, origin=parts.origin)
    again = from_row(to_row(trajectory))
    assert json.loads(json.dumps(again.to_plain())) == json.loads(json.dumps(trajectory.to_plain()))
    assert check_trajectory(again, SeenImages(parts.store, parts.family), parts.family)
    assert len(parts.training_rows(state)) == len(again.rows)
    return again


def test_an_agent_of_langchain_needs_nothing(ask: Ask, encoder: Family, gallery: Gallery) -> None:
    state, parts = ask(f"{ROOT}/examples/agent.py", looking)
    assert (state["answer"], state["outcome"], state["turns"], state["faults"]) == ("cystic", "answered", 2, 0)
    assert trained(state, encoder) == [[LOOK, answer("cystic")]]
    assert [call["call"]["name"] for call in state["calls"]] == ["zoom_in"]
    assert [each["tool"] for each in state["evidence"]] == ["zoom_in"]
    assert [entry["role"] for entry in state["transcript"]] == ["user", "policy", "tools", "policy"]
    again = kept(state, parts, gallery[1][0])
    assert again.images == [gallery[1][0].images[0], *state["calls"][0]["images"]]
    assert again.graph == f"{ROOT}/examples/agent.py"


def test_a_planner_and_a_reader_in_a_subgraph(ask: Ask, encoder: Family, gallery: Gallery) -> None:
    def answering(chat: str) -> str:
        return answer("the left lung") if "Plan what" in chat else looking(chat)

    state, parts = ask(f"{SHAPES}/planner.py:factory", answering)
    assert trained(state, encoder) == [[answer("the left lung")], [LOOK, answer("cystic")]]
    assert [[turn[6] for turn in row["sampled"]] for row in state["rows"]] == [["planner"], ["read", "read"]]
    assert state["answer"] == "cystic" and len(state["calls"]) == 1
    kept(state, parts, gallery[1][0])


@pytest.mark.parametrize(
    ("calls", "turns"),
    [
        ({"nodes": ["planner"]}, [[answer("left")]]),
        ({"nodes": ["reader"]}, [[LOOK, answer("cystic")]]),
        ({"tags": ["reading"]}, [[LOOK, answer("cystic")]]),
        ({"nodes": ["planner"], "tags": ["reading"]}, [[answer("left")], [LOOK, answer("cystic")]]),
        ({"nodes": ["nobody"]}, [[]]),
    ],
)
def test_which_calls_train_is_chosen_by_node_or_tag(
    ask: Ask, encoder: Family, gallery: Gallery, calls: Any, turns: list[list[str]]
) -> None:
    def answering(chat: str) -> str:
        return answer("left") if "Plan what" in chat else looking(chat)

    state, parts = ask(f"{SHAPES}/planner.py", answering, trained_calls=calls)
    assert trained(state, encoder) == turns
    kept(state, parts, gallery[1][0])


def test_a_pause_is_answered_by_the_graph_s_own_person(ask: Ask, encoder: Family, gallery: Gallery) -> None:
    def answering(chat: str) -> str:
        return answer("solid" if "Look again." in chat else "cystic")

    state, parts = ask(f"{SHAPES}/person.py", answering)
    assert state["answer"] == "solid"
    assert trained(state, encoder) == [[answer("cystic"), answer("solid")]]
    assert parts.runner is not None and parts.runner.graph.checkpointer.storage == {}  # threads are forgotten
    kept(state, parts, gallery[1][0])


def test_episodes_that_pause_at_once_do_not_mix(encoder: Family, gallery: Gallery) -> None:
    config = Config.model_validate({"name": "test", "graph": f"{SHAPES}/person.py", "episode": {"context": 2048}})
    parts = open_parts(config, encoder, gallery[0], [])

    class Numbered(Answers):
        """Answers with its number and how often it has spoken; the first ones are the slowest."""

        def __init__(self, number: int) -> None:
            super().__init__(lambda chat: answer(f"{number} {spoken(chat)}"), encoder)
            self.number = number

        async def generate(self, token_ids: Sequence[int], images: Any, sampling: Sampling) -> Completion:
            await asyncio.sleep(0.05 * (3 - self.number))
            return await super().generate(token_ids, images, sampling)

    async def all_of_them() -> list[Any]:
        asked = [parts.ask(gallery[1][0], parts.episode(Numbered(each))) for each in range(4)]
        return await asyncio.gather(*asked)

    for number, state in enumerate(asyncio.run(all_of_them())):
        assert state["answer"] == f"{number} 1"
        assert trained(state, encoder) == [[answer(f"{number} 0"), answer(f"{number} 1")]]


def test_a_pause_that_nobody_foresaw_begins_the_episode_anew(ask: Ask, encoder: Family, tmp_path: Path) -> None:
    text = (SHAPES / "person.py").read_text().replace("answer_interrupt", "somebody").replace('"fine"', '"yes"')
    (tmp_path / "surprise.py").write_text(text)
    state, _ = ask(f"{tmp_path}/surprise.py", lambda chat: answer("cystic"))
    assert trained(state, encoder) == [[answer("cystic")]]
    assert [each["picked"] for each in state["made"]] == [False, True]


def test_by_default_a_person_approves_each_call(ask: Ask, encoder: Family) -> None:
    state, _ = ask(f"{SHAPES}/approval.py", looking)
    assert trained(state, encoder) == [[LOOK, answer("cystic")]]
    assert [call["status"] for call in state["calls"]] == ["ok"]


def test_a_debate_leaves_a_row_for_each_side_and_the_judge(ask: Ask, encoder: Family, gallery: Gallery) -> None:
    def answering(chat: str) -> str:
        if "Decide" in chat:
            return answer("solid")
        side = "bold" if "at once" in chat else "careful"
        return answer(f"{side} {spoken(chat)}")

    state, parts = ask(f"{ROOT}/examples/debate.py:factory", answering)
    assert state["answer"] == "solid"
    assert sorted(trained(state, encoder)) == [
        [answer("bold 0"), answer("bold 1")],
        [answer("careful 0"), answer("careful 1")],
        [answer("solid")],
    ]
    kept(state, parts, gallery[1][0])


def test_tiles_leave_a_row_each(ask: Ask, encoder: Family, gallery: Gallery) -> None:
    state, parts = ask(f"{ROOT}/examples/tiles.py", lambda chat: answer("all" if "Readers" in chat else "part"))
    assert sorted(trained(state, encoder)) == [[answer("all")], *[[answer("part")]] * 4]
    again = kept(state, parts, gallery[1][0])
    assert len({each["images"][0][0] for each in again.rows}) == 5  # the whole, and four different quarters


def test_an_edited_history_is_another_row(ask: Ask, encoder: Family, gallery: Gallery) -> None:
    """Rash, taken back, then looked: the rash answer is not in the second conversation, and trains by itself."""

    def answering(chat: str) -> str:
        return looking(chat) if "Look closer first." in chat else answer("rash")

    state, parts = ask(f"{ROOT}/examples/second_try.py", answering)
    assert state["answer"] == "cystic"
    assert trained(state, encoder) == [[answer("rash")], [LOOK, answer("cystic")]]
    second = encoder.decode(state["rows"][1]["ids"])
    assert "rash" not in second and "Look closer first." in second
    kept(state, parts, gallery[1][0])


@pytest.mark.parametrize("name", ["no_tools", "second_opinion", "verify"])
def test_the_graphs_that_ship(ask: Ask, encoder: Family, gallery: Gallery, name: str) -> None:
    state, parts = ask(name, looking)
    assert sum(map(len, trained(state, encoder))) == state["turns"]
    assert kept(state, parts, gallery[1][0]).graph == name


def test_a_call_at_a_temperature_of_its_own_is_not_trained(ask: Ask, encoder: Family, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from langchain_core.messages import HumanMessage\n"
        "from langgraph.graph import END, START, MessagesState, StateGraph\n"
        "def factory(model, tools):\n"
        "    async def cold(state): return {'messages': [await model.ainvoke(state['messages'], temperature=0.0)]}\n"
        "    async def go_on(state): return {'messages': [HumanMessage('And?')]}\n"
        "    async def warm(state): return {'messages': [await model.ainvoke(state['messages'], temperature=1.0)]}\n"
        "    graph = StateGraph(MessagesState)\n"
        "    graph.add_sequence([cold, go_on, warm])\n"
        "    graph.add_edge(START, 'cold')\n"
        "    return graph.compile()\n"
    )
    state, _ = ask(f"{tmp_path}/own.py", lambda chat: answer(str(spoken(chat))))
    assert trained(state, encoder) == [[answer("1")]]


def test_an_episode_that_no_call_is_trained_of_has_one_masked_row(ask: Ask) -> None:
    state, parts = ask(f"{ROOT}/examples/agent.py", looking, trained_calls={"tags": ["none"]})
    (row,) = parts.training_rows(state)
    assert set(row.mask) == {0} and row.mm


def test_a_graph_that_never_calls_the_policy_is_refused(ask: Ask, tmp_path: Path) -> None:
    state, parts = ask(one_node(tmp_path, "return {'answer': 'cystic'}"), looking)
    with pytest.raises(RefusedError, match="nothing in it was sampled"):
        parts.training_rows(state)


def test_a_structured_answer_that_was_cut_ends_its_episode(ask: Ask) -> None:
    """It is the policy's doing: no answer, a fault, and the ids train."""
    cut = '<think>I see.</think><answer>{"answer": "' + "cystic " * 60
    for made in ("factory", "by_schema", "by_call"):
        state, parts = ask(f"{SHAPES}/structured.py:{made}", lambda chat: cut)
        assert (state["answer"], state["outcome"], state["faults"], state["turns"]) == (None, UNREADABLE, 1, 1)
        assert score(A_TASK, state, {"answer": 1.0, "format": 1.0})[0] == 0.0
        assert len(parts.training_rows(state)) == 1


@pytest.mark.parametrize(
    ("raising", "said"),
    [
        ("raise KeyError('lesion')", "KeyError: 'lesion' (line 6 of own.py, in read: raise KeyError('lesion'))"),
        ("raise TimeoutError", "TimeoutError (line 6 of own.py, in read: raise TimeoutError)"),
        ("return {'answer': 1 / 0}", "ZeroDivisionError: division by zero (line 6 of own.py"),
    ],
)
def test_a_bug_of_a_graph_ends_its_episode_and_is_never_scored(
    ask: Ask, gallery: Gallery, tmp_path: Path, raising: str, said: str
) -> None:
    state, _ = ask(one_node(tmp_path, ASK, raising), lambda chat: answer("cystic"), deadline_s=60.0)
    assert (state["answer"], state["outcome"], state["turns"]) == (None, "bug", 1)
    assert state["bug"].startswith(said)
    with pytest.raises(UnscoredError, match="that a bug of its graph ended"):
        score(gallery[1][0], state, {"answer": 1.0})


def test_a_row_longer_than_the_trainer_takes_is_refused(ask: Ask) -> None:
    state, parts = ask("verify", looking)
    short = replace(parts, limits=Limits(context=len(state["rows"][0]["ids"]) - 1))
    with pytest.raises(RefusedError, match=r"a row has \d+ ids, expected at most episode.context=\d+"):
        short.training_rows(state)


def test_an_agent_that_never_ends_runs_out_of_context(ask: Ask, encoder: Family) -> None:
    state, parts = ask(f"{ROOT}/examples/agent.py", lambda chat: LOOK, context=768)
    assert state["answer"] is None and state["outcome"] in ("context_full", "too_many_turns")
    (turns,) = trained(state, encoder)
    assert len(state["calls"]) >= 4 and set(turns[:-1]) == {LOOK}  # the last one may be cut by the context
    assert len(parts.training_rows(state)) == 1


def test_a_deadline_keeps_what_was_done(ask: Ask, encoder: Family) -> None:
    class Slow(Answers):
        async def generate(self, token_ids: Sequence[int], images: Any, sampling: Sampling) -> Completion:
            done = await super().generate(token_ids, images, sampling)
            await asyncio.sleep(60 if len(self.chats) == 2 else 0)
            return done

    state, _ = ask(f"{ROOT}/examples/agent.py", Slow(looking, encoder), deadline_s=1.0)
    assert (state["answer"], state["outcome"]) == (None, OUT_OF_TIME)
    assert trained(state, encoder) == [[LOOK]]


def test_a_person_who_is_asked_for_ever_ends_the_episode(gallery: Gallery, tmp_path: Path) -> None:
    class Asking(TypedDict):
        images: list[str]
        question: str
        answer: str

    def again(state: Asking) -> dict[str, Any]:
        from langgraph.types import interrupt

        interrupt("Sure?")
        return {}

    graph: Any = StateGraph(Asking)
    graph.add_node(again)
    graph.add_edge(START, "again")
    graph.add_conditional_edges("again", lambda state: "again", ["again", END])
    compiled = graph.compile()
    source = find_graph("no_tools")
    asked = EpisodeRunner(
        compiled,
        adapter_of("t", source.module, compiled),
        gallery[0],
        Limits(),
        pick_of(Config(name="t").rl.trained_calls),
    )
    state = asyncio.run(asked.ask({"images": [], "question": "x"}, Episode(), None))
    assert state["outcome"] == "too_many_turns"


def test_rewards_read_any_graph_s_output(ask: Ask, gallery: Gallery) -> None:
    """Right and looked, right without a look, and wrong: CCA's consensus is what the only looker saw."""
    task = gallery[1][0]

    def right(chat: str) -> str:
        return answer(task.answer) if spoken(chat) else LOOK

    looked, _ = ask(f"{ROOT}/examples/agent.py", right)
    blind, _ = ask(f"{ROOT}/examples/debate.py", lambda chat: answer(task.answer))
    wrong, _ = ask("second_opinion", lambda chat: answer("perhaps"))
    weights = {"answer": 1.0, "tool_use": 1.0, "format": 1.0, "cca": 1.0}
    rewards = [components for _, components in score_group(task, [looked, blind, wrong], weights)]
    assert [each["answer"] for each in rewards] == [1.0, 1.0, 0.0]
    assert [each["format"] for each in rewards] == [1.0, 1.0, 1.0]
    # two right ones, of which one looked: nothing was seen by more than half, so the blind one agrees with that
    assert [each["cca"] for each in rewards] == [0.5, 1.0, 0.0]
    assert score(task, looked, {"tool_use": 1.0})[0] == float(task.needs_tool is not False)
