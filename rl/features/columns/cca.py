"""Of three right episodes, two look at one place and one at another: consensus-based credit is 1, 1 and 0.5."""

from rl.features.case import Case, expect
from rl.rewards.compose import score_group

TITLE = "CCA"
HERE, ELSEWHERE = (100, 100, 400, 400), (600, 600, 900, 900)


async def prove(case: Case) -> str | None:
    """Scores the group as training does."""
    policies = [case.reading_policy(box=box) for box in (HERE, HERE, ELSEWHERE)]
    states = [await case.play(policy) for policy in policies]
    scored = score_group(case.task, states, {"answer": 1.0, "cca": 1.0})
    credits = [components["cca"] for _, components in scored]
    if not any(state["calls"] for state in states):
        expect(credits == [1.0] * 3, f"Got the credits {credits} of right episodes without looks, expected 1.0 each.")
        return case.without_tools(policies[0], ", so nobody looks anywhere, and every right episode earns 1")
    expect(credits == [1.0, 1.0, 0.5], f"Got the credits {credits}, expected [1.0, 1.0, 0.5].")
    return None
