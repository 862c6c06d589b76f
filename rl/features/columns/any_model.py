"""A LangChain chat model that is none of ours, behind `ProviderChatModel`: it is shown pictures by their bytes, the
views that its calls make among them, and the graph answers by what it says. Asked to record exactly, it says that it
cannot."""

from agent.chat.provider.model import ProviderChatModel
from agent.chat.record.episode import Episode
from agent.policies.policy import PolicyError
from rl.features.case import WARM, Case, expect
from rl.features.other_model import OtherModel

TITLE = "any chat model"


async def prove(case: Case) -> str | None:
    """One episode; then one that is to be recorded exactly."""
    other = OtherModel(answer=case.task.answer)
    model = ProviderChatModel(model=other, store=case.shared.store)
    episode = Episode()
    await case.through(case.opened(model), episode)
    expect(max(other.shown) >= 2, f"Got pictures shown {other.shown}, expected the question's two.")
    if episode.results:
        statuses = {call["status"] for call in episode.results}
        expect(statuses == {"ok"}, f"Got calls that ended {statuses}, expected 'ok'.")
        expect(max(other.shown) >= 3, f"Got pictures shown {other.shown}, expected views of calls among them.")
    try:
        await case.through(case.opened(model), Episode(case.reading_policy(), WARM))
    except PolicyError:
        return None
    expect(False, "Got an exact episode of another chat model, expected to be told that there is none.")
    return None
