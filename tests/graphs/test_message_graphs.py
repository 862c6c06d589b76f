"""The graphs that ship: what each shows the policy, what it gives back, and the rows it leaves."""

import asyncio
from typing import Any

import pytest

from agent.chat import Episode, at_nodes
from agent.chat.families.family import Family
from agent.limits import Limits
from agent.question import ContextTooSmall
from graphs import compare_prior, no_tools, second_opinion, verify
from graphs.app import catalogue
from graphs.app.chat_model import chat_model
from tests.answering import LOOK, Answering, Answers, answer, spoken
from tests.ledgers import turns_in
from tools import Evidence
from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.medical_tool import medical_tool
from tools.registry import load_tools

QUESTION = "What is it?"


def run(
    graph: Any, answering: Answering, encoder: Family, store: ImageStore, *images: MedicalImage
) -> tuple[dict[str, Any], Answers, Episode]:
    """The output of a graph's module, the policy that was asked and the episode's record."""
    policy = Answers(answering, encoder)
    built = graph.factory(chat_model(policy, encoder, store), load_tools(["zoom_in"]))
    episode = Episode()
    with episode.recording():
        asked = {"images": [store.put(image) for image in images], "question": QUESTION}
        state: dict[str, Any] = asyncio.run(built.ainvoke(asked))
    return state, policy, episode


def said(episode: Episode, encoder: Family) -> list[list[str]]:
    """Per row the trained turns."""
    return turns_in([row.ledger for row in episode.rows()], encoder)


def test_no_tools_is_one_look(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    state, policy, episode = run(no_tools, lambda _: answer("cystic"), encoder, store, scan)
    assert (state["answer"], state["outcome"], state["evidence"], state["calls"]) == ("cystic", "answered", [], [])
    assert "Tools:" not in policy.chats[0]
    assert policy.sizes == [[(512, 512)]]
    assert said(episode, encoder) == [[answer("cystic")]]


@pytest.mark.parametrize(
    ("turn", "outcome"),
    [(answer("Cannot tell."), "abstained"), (LOOK, "too_many_turns"), ("<tool_call>{</tool_call>", "too_many_turns")],
)
def test_what_is_no_answer_is_none(
    encoder: Family, store: ImageStore, scan: MedicalImage, turn: str, outcome: str
) -> None:
    state, _, _ = run(no_tools, lambda _: turn, encoder, store, scan)
    assert (state["answer"], state["outcome"]) == (None, outcome)


def test_a_second_opinion_is_independent_and_the_adjudicator_sees_both_chains(
    encoder: Family, store: ImageStore, scan: MedicalImage
) -> None:
    def answering(chat: str) -> str:
        if "Two readers" in chat:
            return answer("solid")
        if spoken(chat) == 0 and "second reader" in chat:
            return LOOK
        return answer("cystic" if "second reader" in chat else "benign")

    state, policy, episode = run(second_opinion, answering, encoder, store, scan)
    adjudicated = next(chat for chat in policy.chats if "Two readers" in chat)
    assert "The first reader answers: benign" in adjudicated
    assert "The second reader answers: cystic" in adjudicated
    assert policy.sizes[policy.chats.index(adjudicated)] == [(512, 512), state_size(state, store, 1)]
    assert all(
        "first reader" not in chat or "second reader" not in chat for chat in policy.chats if chat != adjudicated
    )
    assert (state["answer"], state["outcome"], state["turns"], state["faults"]) == ("solid", "answered", 4, 0)
    assert [each["tool"] for each in state["evidence"]] == ["zoom_in"]
    assert len(state["calls"]) == 1
    rows = sorted(said(episode, encoder))
    assert rows == sorted([[answer("benign")], [LOOK, answer("cystic")], [answer("solid")]])


def state_size(state: dict[str, Any], store: ImageStore, place: int) -> tuple[int, int]:
    return store.get(state["images"][place]).size


def test_the_calls_of_one_node_can_be_picked(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    _, _, episode = run(
        second_opinion, lambda chat: answer("solid" if "Two readers" in chat else "benign"), encoder, store, scan
    )
    assert {(call.node, call.namespace) for row in episode.rows() for call in row.calls} == {
        ("reason", "opinion|reason"),
        ("reason", "adjudicate|reason"),
    }
    assert len(episode.rows(at_nodes("adjudicate"))) == 1
    assert len(episode.rows(at_nodes("opinion"))) == 2


@pytest.mark.parametrize(
    ("second", "expected", "verdict", "outcome"),
    [
        ("Cystic", "Cystic", "confirmed", "answered"),
        ("solid", "solid", "revised", "answered"),
        ("cannot tell", None, "abstained", "abstained"),
    ],
)
def test_verify_looks_again_at_the_cited_region(
    encoder: Family,
    store: ImageStore,
    scan: MedicalImage,
    second: str,
    expected: str | None,
    verdict: str,
    outcome: str,
) -> None:
    script = [LOOK, answer("cystic"), answer(second)]
    state, policy, episode = run(verify, lambda chat: script[spoken(chat)], encoder, store, scan)
    assert (state["answer"], state["verdict"], state["outcome"]) == (expected, verdict, outcome)
    assert state["first"]["answer"] == "cystic"
    box = state["first"]["evidence"][0]["box"]
    again = store.get(state["images"][-1])
    right, bottom = round(box[2] * 1.25), round(box[3] * 1.25)
    assert again.origin().box == (0, 0, right, bottom)  # a quarter more, where there is more
    assert "You answered 'cystic'." in policy.chats[-1]
    assert said(episode, encoder) == [script]


def test_a_second_look_may_call_tools(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    script = [LOOK, answer("cystic"), LOOK, answer("solid")]
    state, _, episode = run(verify, lambda chat: script[spoken(chat)], encoder, store, scan)
    assert (state["answer"], state["verdict"], len(state["calls"])) == ("solid", "revised", 2)
    assert said(episode, encoder) == [script]


def test_verify_of_an_answer_without_a_region_shows_the_whole_image(
    encoder: Family, store: ImageStore, scan: MedicalImage
) -> None:
    state, policy, _ = run(verify, lambda _: answer("cystic"), encoder, store, scan)
    assert policy.sizes[-1] == [(512, 512), (512, 512)]
    assert state["verdict"] == "confirmed"


def test_nothing_is_verified_where_nothing_was_answered(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    state, policy, _ = run(verify, lambda _: answer("cannot tell"), encoder, store, scan)
    assert (state["verdict"], state["answer"], len(policy.chats)) == ("abstained", None, 1)


def test_two_studies_are_read_apart_and_then_compared(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    earlier = scan.crop((0, 0, 300, 200))

    def answering(chat: str) -> str:
        if "Compare them" in chat:
            return answer("larger")
        return answer("small" if "earlier study" in chat else "large")

    state, policy, episode = run(compare_prior, answering, encoder, store, scan, earlier)
    compared = next(chat for chat in policy.chats if "Compare them" in chat)
    assert compared.index("The current reader answers: large") < compared.index("The earlier reader answers: small")
    assert sorted(policy.sizes) == sorted([[(512, 512)], [(300, 200)], [(512, 512), (300, 200)]])
    assert (state["answer"], state["turns"]) == ("larger", 3)
    assert sorted(said(episode, encoder)) == sorted([[answer("large")], [answer("small")], [answer("larger")]])


def test_a_comparison_needs_two_studies(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    with pytest.raises(ImageError, match="Got 1 images, expected two"):
        run(compare_prior, lambda _: answer("larger"), encoder, store, scan)


def test_a_reader_is_told_what_was_wrong_and_stops_at_its_last_turn(
    encoder: Family, store: ImageStore, scan: MedicalImage
) -> None:
    state, policy, episode = run(
        verify, lambda _: '<think>a</think><tool_call>{"name"</tool_call>', encoder, store, scan
    )
    assert (state["outcome"], state["turns"], state["faults"], state["verdict"]) == (
        "too_many_turns",
        6,
        6,
        "unanswered",
    )
    assert all("Your turn could not be read." in chat for chat in policy.chats[1:])
    assert [len(row.calls) for row in episode.rows()] == [6]


@pytest.mark.parametrize("name", ["compare_prior", "reasoning", "review", "second_opinion", "verify"])
async def test_a_full_context_ends_the_episode_without_an_answer(
    name: str, encoder: Family, store: ImageStore, scan: MedicalImage
) -> None:
    """A policy that looks for ever: each look adds an image, until the next turn has no room."""
    limits = Limits(turns=50, context=900)
    policy = Answers(lambda _: LOOK, encoder)
    build = catalogue.graphs()[name].compiled
    graph = build(chat_model(policy, encoder, store, limits), load_tools(["zoom_in"]), turns=limits.turns)
    images = [store.put(scan)] * (2 if name == "compare_prior" else 1)
    state = await graph.ainvoke({"images": images, "question": QUESTION})
    assert (state["outcome"], state["answer"], state["evidence"]) == ("context_full", None, [])
    assert state["transcript"][-1]["role"] != "policy"
    assert state["turns"] == len(policy.chats) < 50


async def test_a_question_that_fills_the_context_cannot_be_asked(
    encoder: Family, store: ImageStore, scan: MedicalImage
) -> None:
    graph = no_tools.factory(chat_model(Answers(lambda _: LOOK, encoder), encoder, store, Limits(context=40)), ())
    with pytest.raises(ContextTooSmall, match="raise the context's limit"):
        await graph.ainvoke({"images": [store.put(scan)], "question": QUESTION})


async def test_findings_that_fill_the_context_end_the_episode(
    encoder: Family, store: ImageStore, scan: MedicalImage
) -> None:
    """The adjudicator is shown more than the question: that it has no room is an outcome, not the caller's error."""
    policy = Answers(lambda chat: answer("so " * 40), encoder)
    model = chat_model(policy, encoder, store, Limits(context=180))
    graph = second_opinion.factory(model, ())
    state = await graph.ainvoke({"images": [store.put(scan)], "question": QUESTION})
    assert (state["outcome"], state["turns"], len(policy.chats)) == ("context_full", 2, 2)


@medical_tool(family="look")
def row_of_pixels(image: MedicalImage) -> Evidence:
    """Show the first row of an image."""
    return Evidence(text="The first row.", images=(image.crop((0, 0, image.width, 1)),))


async def test_a_sub_image_that_cannot_be_shown_costs_its_call_only(
    encoder: Family, store: ImageStore, scan: MedicalImage
) -> None:
    """The image processor refuses pictures that are more than 200 times as long as high."""
    call = '<think>Closer.</think><tool_call>{"name": "row_of_pixels", "arguments": {"image": 1}}</tool_call>'
    policy = Answers(lambda chat: answer("cystic") if "Closer" in chat else call, encoder)
    graph: Any = verify.factory(chat_model(policy, encoder, store), [row_of_pixels])
    state = await graph.ainvoke({"images": [store.put(scan)], "question": QUESTION})
    assert (state["answer"], state["calls"][0]["status"], state["calls"][0]["images"]) == ("cystic", "failed", [])
