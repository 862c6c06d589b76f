"""The examples with sub-agents: who is asked what, who answers, and the rows that are left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent.chat import Episode
from agent.chat.tools import for_messages
from agent.encoder import Encoder
from agent.limits import Limits
from graphs.app.chat_model import chat_model
from graphs.app.loading import find_graph
from graphs.parts.state import question_message
from tests.answering import LOOK, Answers, answer, spoken
from tests.ledgers import turns_in
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools

EXAMPLES = Path(__file__).parents[2] / "examples"


def call(name: str) -> str:
    return f'<think>Who?</think><tool_call>{{"name": "{name}", "arguments": {{}}}}</tool_call>'


def made(name: str, answering: Callable[[str], str], encoder: Encoder, store: ImageStore) -> tuple[Any, Answers]:
    """The compiled example, and the policy that it asks."""
    policy = Answers(answering, encoder)
    model = chat_model(policy, encoder, store, Limits(context=4096))
    tools = for_messages(load_tools(["zoom_in", "measure_distance"]), store)
    return find_graph(str(EXAMPLES / f"{name}.py")).compiled(model, tools), policy


def said(episode: Episode, encoder: Encoder) -> list[list[str]]:
    """Per row the trained turns, sorted."""
    return sorted(turns_in([row.ledger for row in episode.rows()], encoder))


async def test_a_supervisor_hands_over_and_answers_by_the_report(
    encoder: Encoder, store: ImageStore, scan: MedicalImage
) -> None:
    def answering(chat: str) -> str:
        if "Two readers help you." in chat:
            turns = [call("ask_looker"), call("ask_nobody"), call("ask_measurer"), answer("solid")]
            return turns[spoken(chat)]
        if "You look closer" in chat:
            return answer("it is round") if spoken(chat) else LOOK
        return answer("5 mm")

    graph, policy = made("supervisor", answering, encoder, store)
    with Episode().recording() as episode:
        state = await graph.ainvoke({"messages": [question_message([store.put(scan)], "What is it?")]})
    assert state["messages"][-1].text == "solid"
    looker, measurer = (
        [chat for chat in policy.chats if role in chat] for role in ("You look closer", "You measure and say")
    )
    assert len(looker) == 2 and "zoom_in(" in looker[0] and "measure_distance(" not in looker[0]
    assert len(measurer) == 1 and "measure_distance(" in measurer[0] and "zoom_in(" not in measurer[0]
    assert all("ask_looker" not in chat for chat in (*looker, *measurer))  # each has a conversation of its own
    last = policy.chats[-1]
    assert last.index("The looker reports: it is round") < last.index("The measurer reports: 5 mm")
    asked = [call("ask_looker"), call("ask_nobody"), call("ask_measurer"), answer("solid")]
    assert said(episode, encoder) == sorted([asked, [LOOK, answer("it is round")], [answer("5 mm")]])


async def test_a_critic_sends_the_panel_back_once(encoder: Encoder, store: ImageStore, scan: MedicalImage) -> None:
    def answering(chat: str) -> str:
        if "You are the critic" in chat:
            return answer("Is it calcified?")
        if "You write for" in chat:
            return answer("cyst" if "Is it calcified? no" in chat else "solid")
        if "Is it calcified?" in chat:
            return answer("no")
        return answer("yes") if spoken(chat) else LOOK

    graph, policy = made("panel", answering, encoder, store)
    with Episode().recording() as episode:
        state = await graph.ainvoke({"images": [store.put(scan)], "question": "What is it?"})
    assert (state["answer"], state["doubt"], len(state["findings"])) == ("cyst", "Is it calcified?", 4)
    assert sum("You are the critic" in chat for chat in policy.chats) == 1
    written = [[answer("solid")], [answer("cyst")], [answer("Is it calcified?")], [answer("no")]]
    assert said(episode, encoder) == sorted([[LOOK, answer("yes")]] * 3 + written)


async def test_a_content_critic_ends_it(encoder: Encoder, store: ImageStore, scan: MedicalImage) -> None:
    graph, policy = made("panel", lambda chat: answer("Good." if "critic" in chat else "solid"), encoder, store)
    state = await graph.ainvoke({"images": [store.put(scan)], "question": "What is it?"})
    assert state["answer"] == "solid" and "doubt" not in state and len(policy.chats) == 5


async def test_a_plan_is_made_anew_until_a_person_approves(
    encoder: Encoder, store: ImageStore, scan: MedicalImage
) -> None:
    def answering(chat: str) -> str:
        if "Plan where to look." in chat:
            place = '"lower left"' if "Not there." in chat else '"upper left", "upper right"'
            return answer(f'{{"places": [{place}]}}')
        if "Answer by these notes." in chat:
            return answer("solid" if "lower left: a node" in chat else "unknown")
        return answer("a node") if spoken(chat) else LOOK

    graph, policy = made("approved_plan", answering, encoder, store)
    graph.checkpointer = InMemorySaver()
    config: Any = {"configurable": {"thread_id": "1"}}
    with Episode().recording() as episode:
        wish = {"scans": [store.put(scan)], "wish": "What is it?"}
        waiting = [await graph.ainvoke(wish, config)]
        for remark in ("Not there.", "yes"):
            waiting.append(await graph.ainvoke(Command(resume=remark), config))
    plans = [each["__interrupt__"][0].value["plan"] for each in waiting[:-1]]
    assert plans == [["upper left", "upper right"], ["lower left"]]
    assert waiting[-1]["report"] == "solid"
    assert [turn.call.guided for turn in episode.turns[:2]] == [True, True]  # a grammar held the plans: not trained
    assert said(episode, encoder) == sorted([[LOOK, answer("a node")], [answer("solid")]])
    assert len(policy.chats) == 5
