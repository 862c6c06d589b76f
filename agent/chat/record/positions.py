"""The points of a conversation: a tree of token pieces, each of which was rendered or sampled."""

from dataclasses import dataclass

from agent.chat.families.family import Before, Tokens
from agent.chat.messages import MessageContent
from agent.chat.record.policy_calls import PolicyCall
from agent.policies.policy import Completion


@dataclass(frozen=True, eq=False)
class Turn:
    """What the policy sampled in one call."""

    call: PolicyCall
    said: MessageContent
    completion: Completion
    context: "Position"
    """What it was sampled behind."""
    malformed: bool = False
    """Whether it could not be read."""
    kept: int = 0
    """How many of its first ids a fork took from its parent's turn: they are never trained here."""


@dataclass(frozen=True, eq=False)
class Position:
    """A point of a conversation: everything up to it is tokens."""

    number: int
    parent: "Position | None"
    tokens: Tokens
    """What was added to the parent."""
    images: tuple[str, ...]
    """Ids of the images in `tokens`."""
    before: Before
    """What the conversation holds here."""
    turn: Turn | None = None
    """The turn that `tokens` are; None for rendered messages."""
    length: int = 0
    """Ids up to here."""
    key: str = ""
    """Digest of what the rendered messages say; empty where no sample is stored."""

    @property
    def sampled(self) -> bool:
        """Whether `tokens` were sampled here, behind this very history."""
        return self.turn is not None and self.turn.context is self.parent

    def path(self) -> list["Position"]:
        """The positions from the beginning, which holds nothing and is left out, to this one."""
        found: list[Position] = []
        at = self
        while at.parent is not None:
            found.append(at)
            at = at.parent
        return found[::-1]
