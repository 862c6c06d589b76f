"""An episode is forked before the arguments of its first look: the fork comes there without asking the policy, keeps
the ids of the turn up to them, looks elsewhere and goes on; what it inherited, it does not train."""

from langgraph.checkpoint.memory import InMemorySaver

from agent.chat_model.episode import Episode
from agent.question import Question
from rl.evr import argument_spans
from rl.features.case import NO_TOOLS, WARM, Case, expect
from rl.features.threads import ended, run
from rl.features.willing import Willing

TITLE = "EVR forks"
LOOK = "zoom_in"


async def prove(case: Case) -> str | None:
    """One episode, and a fork of it."""
    first, second = case.willing(), case.willing(box=(600, 600, 900, 900))
    parent = Episode(first, WARM)
    await _played(case, parent)
    look = next((turn for turn in parent.turns if any(call.name == LOOK for call in turn.said.calls)), None)
    if look is None:
        return f"{NO_TOOLS}, and EVR forks at a call's arguments"
    ids = look.completion.token_ids
    kept = argument_spans(ids, case.shared.encoder.decode)[0][0]
    fork = parent.fork(look, kept)
    fork.policy = second
    await _played(case, fork)
    _expect_new(first, second, kept, ids)
    again = next(turn for turn in fork.own if turn.completion.token_ids[:kept] == ids[:kept])
    expect(again.completion.token_ids != ids, "Got the very turn again, expected another look.")
    trained = sum(turn.end - turn.start for row in fork.rows() for turn in row.ledger.sampled)
    own = sum(len(turn.completion.token_ids) for turn in fork.own) - kept
    expect(trained == own, f"Got {trained} trained ids in the fork, expected the {own} that were sampled in it.")
    return None


async def _played(case: Case, episode: Episode) -> None:
    found = case.opened(case.willing(), InMemorySaver())
    asked = Question(images=list(case.task.images), question=case.task.question)
    with episode.recording():
        async for _ in run(found, "forked", asked):
            pass
    answer = await ended(found, "forked")
    expect(answer == case.task.answer, f"Got the answer {answer!r}, expected {case.task.answer!r}.")


def _expect_new(first: Willing, second: Willing, kept: int, ids: tuple[int, ...]) -> None:
    begun, *later = second.spoken
    expect(begun.prompt[-kept:] == ids[:kept], "Got a fork that does not begin with the ids it keeps.")
    known = {each.asked for each in first.spoken}
    again = [each.chat for each in later if each.asked in known]
    expect(not again, f"Got {len(again)} prompts asked again that the parent had an answer to, expected none.")
