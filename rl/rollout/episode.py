"""One episode of any graph: asked, recorded, paused and answered, brought into one form.

The graph knows nothing of it. What the policy samples is recorded around it (agent/chat/record/episode.py); pauses for
a person are answered by the graph's adapter; what it gives back becomes what rewards and records read, with the
training rows beside.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast, get_args
from uuid import uuid4

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from agent.answer import Message, Outcome, cited
from agent.chat.images import MessageImages
from agent.chat.record.episode import Episode
from agent.chat.record.ledger import Ledger
from agent.chat.record.policy_calls import Pick
from agent.limits import Limits
from agent.prompt import ABSTAIN
from agent.question import Question
from graphs.app.adapters import MESSAGES, Adapter, agree
from graphs.app.loading import GraphError
from graphs.parts.state import is_result, transcript_entry
from rl.rollout.endings import Ending, ending
from rl.trajectories.finished_episode import UNREADABLE, FinishedEpisode
from tools.images.store import ImageStore

Stream = Callable[..., AsyncIterator[dict[str, Any]]]
INTERRUPTS = "__interrupt__"
MOST_PAUSES = 16
"""Times that a person is asked in one episode; then it ends."""


@dataclass
class EpisodeRunner:
    """A graph that is asked one question after the other, each in a thread of its own where it needs threads."""

    graph: Any
    """A CompiledStateGraph."""
    adapter: Adapter
    store: ImageStore
    limits: Limits
    pick: Pick
    """Which calls of the policy train."""
    name: str = ""
    """The graph's."""

    def __post_init__(self) -> None:
        if self.graph.checkpointer is not None or self.adapter.to_interrupt is not agree:
            self.with_threads()

    async def ask(self, question: Question, episode: Episode, deadline_s: float | None = None) -> FinishedEpisode:
        """What an episode leaves; how it ended is its `outcome` (rl/rollout/endings.py). `episode` records it.

        Raises PolicyError where the policy is lost.
        """
        output: dict[str, Any] = {}
        told: Mapping[str, Any] = {}
        foreseen = True
        with episode.recording():
            async with ending(deadline_s, self.name) as end:
                foreseen = await self._run(question, output, end)
                if foreseen and end.outcome is None:
                    told = self._answer(output)
        if foreseen:
            return self._finished(question, output, told, end, episode)
        self.with_threads()  # the first pause of a graph that nobody knew to pause
        episode.begin_anew()
        return await self.ask(question, episode, deadline_s)

    def with_threads(self) -> None:
        """The graph with checkpoints in memory: what training asks does not belong in anybody's database."""
        self.graph = self.graph.copy()
        self.graph.checkpointer = InMemorySaver()

    async def _run(self, question: Question, output: dict[str, Any], end: Ending) -> bool:
        """Runs the graph to its end; `output` is what it has given so far. False where it paused without threads."""
        thread = uuid4().hex
        settings = {"recursion_limit": max(50, 8 * self.limits.turns + 8), "configurable": {"thread_id": thread}}
        stream = cast(Stream, self.graph.astream)
        given: Any = self.adapter.to_input(question)
        threads = self.graph.checkpointer
        try:
            for _ in range(MOST_PAUSES + 1):
                async for reached in stream(given, settings, stream_mode="values"):
                    output.clear()
                    output.update(reached)
                waiting = output.pop(INTERRUPTS, ())
                if not waiting or threads is None:
                    return not waiting
                given = Command(resume={each.id: self.adapter.to_interrupt(each.value) for each in waiting})
            end.outcome = "too_many_turns"
            return True
        finally:
            if threads is not None:
                threads.delete_thread(thread)

    def _answer(self, output: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a finished graph answers. Raises GraphError where its adapter says no `answer`."""
        told = self.adapter.to_answer(output)
        if "answer" not in told:
            raise GraphError(f"Got {sorted(told)} of a finished graph, expected an `answer` among it.")
        return told

    def _finished(
        self, question: Question, output: Mapping[str, Any], told: Mapping[str, Any], end: Ending, episode: Episode
    ) -> FinishedEpisode:
        calls = [call for call in told.get("calls") or () if is_result(call)] or episode.results
        made = [image for call in calls for image in call["images"]]
        shown: list[str] = list(told.get("images", question["images"]))
        images = [*shown, *dict.fromkeys(image for image in made if image not in shown)]
        said = told.get("answer")
        text = None if said is None else str(said).strip()
        abstains = text is not None and text.rstrip(".").lower() == ABSTAIN
        answer = None if abstains or not text else text
        ended = "abstained" if abstains else "answered" if answer is not None else "too_many_turns"
        told_so = told.get("outcome") if told.get("outcome") in get_args(Outcome) else ended
        outcome = cast(Outcome, end.outcome or told_so)
        rows = rows_of(episode, self.pick)
        return FinishedEpisode(
            question=question["question"],
            images=images,
            answer=answer,
            outcome=outcome,
            bug=end.bug,
            evidence=told.get("evidence") or (cited(images, calls, self.store) if answer else []),
            transcript=told.get("transcript") or self._transcript(question, output, text),
            calls=calls,
            turns=told.get("turns") or len(episode.turns),
            faults=told.get("faults") or episode.faults or int(end.outcome == UNREADABLE),
            versions=list(dict.fromkeys(each for turn in episode.turns for each in turn.completion.versions)),
            rows=[each.to_plain() for each in rows],
            untrained=[row.ledger.to_plain() for row in episode.rows(lambda call: not self.pick(call))],
            made=calls_made(episode, self.pick),
        )

    def _transcript(self, question: Question, output: Mapping[str, Any], answer: str | None) -> list[Message]:
        """The graph's messages where it has some, else the question and the answer."""
        if output.get(MESSAGES):
            return [transcript_entry(message, MessageImages(self.store)) for message in output[MESSAGES]]
        asked = Message(role="user", text=question["question"], images=list(question["images"]))
        return [asked, Message(role="policy", text=answer or "", images=[])]


def rows_of(episode: Episode, pick: Pick) -> list[Ledger]:
    """The rows of an episode; one in which nothing is sampled where no call was picked."""
    rows = [row.ledger for row in episode.rows(pick)]
    return rows or [replace(row.ledger, sampled=()) for row in episode.rows(lambda _: True)[:1]] or [Ledger()]


def calls_made(episode: Episode, pick: Pick) -> list[dict[str, Any]]:
    """What the policy was asked for in an episode, which of it is to be trained, and the ids that were sampled."""
    return [
        {
            "sample": each.call.sample,
            "node": each.call.node,
            "picked": each not in episode.given_up and pick(each.call),
            "ids": each.completion.token_ids,
        }
        for each in (*episode.given_up, *episode.own)
    ]
