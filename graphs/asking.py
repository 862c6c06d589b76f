"""One turn of a chat model in a graph of messages: told of as it ends, and no error where the context is full.

Nothing that a policy writes may end a run with an error: a conversation that has grown too long has no next turn, and
the graph ends it without an answer. A lost policy does raise, so that a checkpointer can resume.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage

from agent.chat_model.model import PolicyChatModel
from agent.policies.served import ContextFull
from graphs import progress


async def ask(model: PolicyChatModel, messages: Sequence[AnyMessage], **options: Any) -> list[AIMessage]:
    """The policy's next turn; nothing where the context has no room for it. Raises PolicyError."""
    try:
        said = await model.ainvoke(list(messages), **options)
    except ContextFull:
        return []
    progress.spoke(said.response_metadata.get("versions", ()))
    return [said]
