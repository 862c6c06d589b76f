"""The graph that stops for a person: what the person is shown, and what each reply leads to."""

from pathlib import Path
from typing import Any

from langgraph.types import Command

from agent.chat import Episode
from agent.chat.families.family import Family
from graphs import review
from graphs.app.chat_model import chat_model
from graphs.app.threads import open_threads
from tests.answering import LOOK, Answers, answer
from tests.ledgers import turns_in
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools

THREAD: Any = {"configurable": {"thread_id": "1"}}


def answering(chat: str) -> str:
    """Looks where a person asks it to, once; else answers at once."""
    if "And below?" in chat and "Closer." not in chat:
        return LOOK
    return answer("solid" if "And below?" in chat else "cystic")


async def test_a_person_accepts_or_asks_for_another_look(
    encoder: Family, store: ImageStore, scan: MedicalImage, tmp_path: Path
) -> None:
    policy = Answers(answering, encoder)
    with Episode().recording() as episode:
        async with open_threads(tmp_path / "threads.sqlite") as threads:
            graph: Any = review.factory(
                chat_model(policy, encoder, store), load_tools(["zoom_in"]), checkpointer=threads
            )
            question = {"images": [store.put(scan)], "question": "What is it?"}
            stopped = await graph.ainvoke(question, THREAD)
            assert stopped["__interrupt__"][0].value == {"answer": "cystic", "outcome": "answered", "evidence": []}
            stopped = await graph.ainvoke(Command(resume="And below?"), THREAD)
            shown = stopped["__interrupt__"][0].value
            assert (shown["answer"], [each["tool"] for each in shown["evidence"]]) == ("solid", ["zoom_in"])
            done = await graph.ainvoke(Command(resume=True), THREAD)
            assert (done["answer"], done["accepted"], done["notes"]) == ("solid", True, ["And below?"])
            assert (done["turns"], len(done["calls"]), len(done["images"])) == (3, 1, 2)
            again = await graph.ainvoke(question, THREAD)  # a new question on the thread
            assert again["__interrupt__"][0].value["answer"] == "cystic"
            assert (again["notes"], again["accepted"]) == ([], False)
    assert turns_in([row.ledger for row in episode.rows()], encoder) == [
        [answer("cystic"), LOOK, answer("solid")],
        [answer("cystic")],
    ]


async def test_a_question_put_while_a_person_is_waited_for_starts_anew(
    encoder: Family, store: ImageStore, scan: MedicalImage, tmp_path: Path
) -> None:
    async with open_threads(tmp_path / "threads.sqlite") as threads:
        graph: Any = review.factory(chat_model(Answers(answering, encoder), encoder, store), [], checkpointer=threads)
        image = store.put(scan)
        for words in ("What is it?", "And below?"):
            stopped = await graph.ainvoke({"images": [image], "question": words}, THREAD)
        assert (stopped["question"], len(stopped["messages"])) == ("And below?", 4)  # asked, look, refusal, answer


async def test_a_person_who_never_accepts_ends_it(
    encoder: Family, store: ImageStore, scan: MedicalImage, tmp_path: Path
) -> None:
    async with open_threads(tmp_path / "threads.sqlite") as threads:
        graph: Any = review.factory(
            chat_model(Answers(lambda _: answer("cystic"), encoder), encoder, store), [], checkpointer=threads
        )
        state = await graph.ainvoke({"images": [store.put(scan)], "question": "What is it?"}, THREAD)
        for number in range(review.NOTES):
            assert "__interrupt__" in state
            state = await graph.ainvoke(Command(resume=f"Look {number}."), THREAD)
        assert "__interrupt__" not in state
        assert (state["accepted"], len(state["notes"]), state["turns"]) == (False, review.NOTES, review.NOTES + 1)
