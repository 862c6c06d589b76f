"""An episode is forked before the arguments of its first look: the fork comes there without asking the policy, keeps
the ids of the turn up to them, looks elsewhere and goes on; what it inherited, it does not train."""

from agent.chat.record.episode import Episode
from rl.features.case import WARM, Case, expect
from rl.rollout.evr import argument_spans

TITLE = "EVR forks"
LOOK = "zoom_in"


async def prove(case: Case) -> str | None:
    """One episode, and a fork of it."""
    first, second = case.reading_policy(), case.reading_policy(box=(600, 600, 900, 900))
    parent = Episode(first, WARM)
    await case.through(case.opened(case.model(first)), parent)
    look = next((turn for turn in parent.turns if any(call.name == LOOK for call in turn.said.calls)), None)
    if look is None:
        return case.without_tools(first, ", and EVR forks at a call's arguments")
    ids = look.completion.token_ids
    kept = argument_spans(ids, case.shared.family.decode)[0][0]
    fork = parent.fork(look, kept)
    fork.policy = second
    await case.through(case.opened(case.model(second)), fork)

    begun, *later = second.spoken
    expect(begun.prompt[-kept:] == ids[:kept], "Got a fork that does not begin with the ids it keeps.")
    known = {each.asked for each in first.spoken}
    repeated = sum(each.asked in known for each in later)
    expect(not repeated, f"Got {repeated} prompts asked again that the parent had an answer to, expected none.")
    again = next(turn for turn in fork.own if turn.completion.token_ids[:kept] == ids[:kept])
    expect(again.completion.token_ids != ids, "Got the very turn again, expected another look.")
    trained = sum(turn.end - turn.start for row in fork.rows() for turn in row.ledger.sampled)
    own = sum(len(turn.completion.token_ids) for turn in fork.own if not turn.call.guided) - kept
    expect(trained == own, f"Got {trained} trained ids in the fork, expected the {own} that were sampled in it.")
    return None
