"""One turn of an agent, as the nodes that any graph is made of: reason, select_tool, execute, integrate, answer.

The nodes are the same in serving, warm-up, RL and evaluation, so these cannot drift. They read and write an
`EpisodeState` of plain values (ids, text, numbers): what is heavy stays outside, images in the store and weights with
the policy. Nothing that a policy writes can raise: a malformed turn becomes a correction, a bad call an observation, a
full context or too many turns an outcome. What does raise is a lost policy (PolicyError), so that a checkpointer can
resume.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent.answer import Message, Outcome, cited
from agent.encoder import Encoder, EncodingError, Grid
from agent.ledger import Ledger
from agent.limits import Limits
from agent.policies.policy import Policy, Sampling
from agent.prompt import ABSTAIN, END_OF_TURN, correction, observation, opening, plain, system_prompt, user_turn
from agent.protocol import MalformedTurn, parse_turn
from agent.question import ContextTooSmall, Overrides, Question
from tools.images.store import ImageStore
from tools.toolbox import Toolbox, ToolCall, ToolResult


class EpisodeState(Question):
    """What an episode's graph carries, and a LangGraph checkpoint holds."""

    ledger: dict[str, Any]
    transcript: list[Message]
    turns: int
    faults: int
    """Turns that the protocol could not read."""
    pending: list[dict[str, Any]]
    """Calls that select_tool found; execute runs them."""
    results: list[dict[str, Any]]
    """Results that execute got; integrate adds them to the ledger."""
    calls: list[dict[str, Any]]
    """Every call of the episode with its result."""
    correction: str
    """What was wrong with a turn that could not be read; integrate tells the policy."""
    answer: str | None
    evidence: list[dict[str, Any]]
    """What the sub-images that the answer rests on show: image id, number, tool, source id, box in source pixels, of a
    volume the section (plane, first, last). An image of several views has an entry for each, one of a plot none."""
    outcome: Outcome | None
    versions: list[str]
    """The policy's versions that sampled, each once, in order: two where its weights were swapped in the middle."""


Update = dict[str, Any]
"""The part of an EpisodeState that a node changes."""


@dataclass(frozen=True)
class Agent:
    """What the nodes of a graph share."""

    policy: Policy
    encoder: Encoder
    toolbox: Toolbox
    store: ImageStore
    limits: Limits = field(default_factory=Limits)
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0))

    def _look(self, images: Sequence[str]) -> list[Grid]:
        return [self.encoder.grid(self.store.get(image)) for image in images]

    def start(self, state: Question) -> Ledger:
        """The ledger before the first turn: system prompt, images, question.

        Raises ContextTooSmall where these fill the context, EncodingError or ImageError for what cannot be shown.
        """
        images = state["images"]
        system = system_prompt(self.toolbox.prompt_section())
        ids, spans = self.encoder.encode(opening(system, plain(state["question"]), len(images)), self._look(images))
        if len(ids) >= self.limits.context:
            raise ContextTooSmall(len(ids), self.limits.context)
        return Ledger().observe(ids, spans, images)

    async def reason(self, state: EpisodeState, overrides: Overrides | None = None) -> Update:
        """Asks the policy for one turn and records its ids."""
        overrides = overrides or Overrides()
        if _goes_on(state):
            ledger, transcript = Ledger.from_plain(state["ledger"]), state["transcript"]
            versions = state.get("versions", [])
            update: Update = {"turns": state["turns"] + 1}
        else:
            asked = Message(role="user", text=state["question"], images=list(state["images"]))
            ledger, transcript = self.start(state), [asked]
            versions = []
            update = {"turns": 1, "faults": 0, "calls": [], "answer": None, "evidence": [], "outcome": None}
        sampling = overrides.sampling or self.sampling
        room = min(self.limits.turn_tokens, self.limits.context - len(ledger))
        completion = await (overrides.policy or self.policy).generate(
            ledger.prompt_ids(),
            [self.store.get(placed.image).display() for placed in ledger.images],
            replace(sampling, max_tokens=room, banned=self.encoder.banned),
        )
        said = Message(role="policy", text=self.encoder.decode_turn(completion.token_ids), images=[])
        return {
            **update,
            "ledger": ledger.sample(completion).to_plain(),
            "transcript": [*transcript, said],
            "versions": list(dict.fromkeys([*versions, *completion.versions])),
        }

    def select_tool(self, state: EpisodeState) -> Update:
        """Reads the turn: calls to run, an answer, or what was wrong with it."""
        nothing: Update = {"pending": [], "results": [], "correction": ""}
        try:
            turn = parse_turn(state["transcript"][-1]["text"])
        except MalformedTurn as fault:
            return {**nothing, "correction": str(fault), "faults": state["faults"] + 1}
        if turn.answer is not None:
            return {**nothing, "answer": turn.answer}
        return {**nothing, "pending": [call.model_dump() for call in turn.calls]}

    async def execute(self, state: EpisodeState) -> Update:
        """Runs the calls in parallel; each with its deadline, a failure costing that call alone."""
        calls = [ToolCall.model_validate(call) for call in state["pending"]]
        spent = Counter(call["call"]["name"] for call in state["calls"] if call["status"] != "retry")
        results = await self.toolbox.run(calls, state["images"], self.store, spent)
        shown = [showable(each, self.encoder, self.store) for each in results]
        return {"results": [each.model_dump(mode="json") for each in shown], "pending": []}

    def integrate(self, state: EpisodeState) -> Update:
        """Adds text and sub-images to the ledger, whole or not at all."""
        ledger = Ledger.from_plain(state["ledger"])
        results = [ToolResult.model_validate(result) for result in state["results"]]
        new = [image for result in results for image in result.images]
        shown = correction(state["correction"]) if state["correction"] else observation(results, len(state["images"]))
        closing = "" if ledger.ids[-1] == self.encoder.end_of_turn else END_OF_TURN
        ids, spans = self.encoder.encode(closing + user_turn(shown, state["question"]), self._look(new))
        calls = [*state["calls"], *state["results"]]
        if len(ledger) + len(ids) >= self.limits.context:
            return {"outcome": "context_full", "calls": calls, "results": []}
        return {
            "ledger": ledger.observe(ids, spans, new).to_plain(),
            "images": [*state["images"], *new],
            "transcript": [*state["transcript"], Message(role="tools", text=shown, images=new)],
            "calls": calls,
            "results": [],
            "outcome": "too_many_turns" if state["turns"] >= self.limits.turns else None,
        }

    def answer(self, state: EpisodeState) -> Update:
        """Closes the episode: the answer and what it rests on, an abstention, or why there is none."""
        answer = state["answer"]
        if answer is None:
            return {"answer": None, "evidence": []}
        abstains = answer.strip().rstrip(".").lower() == ABSTAIN
        return {
            "answer": None if abstains else answer,
            "evidence": cited(state["images"], state["calls"], self.store),
            "outcome": "abstained" if abstains else "answered",
        }


def showable(result: ToolResult, encoder: Encoder, store: ImageStore) -> ToolResult:
    """The result; a failed one without images where the policy's image processor refuses their shape."""
    try:
        for image in result.images:
            encoder.grid(store.get(image))
    except EncodingError as error:
        return result.model_copy(update={"status": "failed", "text": str(error), "images": ()})
    return result


def _goes_on(state: EpisodeState) -> bool:
    """Whether the state is that of an episode in progress.

    A checkpointer's thread may hold an older episode when a new question is put to it; that one must not be continued.
    """
    if "ledger" not in state or state["outcome"] is not None:
        return False
    same_question = state["transcript"][0]["text"] == state["question"]
    same_images = [placed[0] for placed in state["ledger"]["images"]] == state["images"]
    return same_question and same_images and state["transcript"][-1]["role"] == "tools"
