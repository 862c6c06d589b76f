"""A chat model that is none of ours, and knows nothing of images' ids, tokens or episodes: LangChain's interface alone.

It does what `ReadingPolicy` does: calls what it must, hands over where it may, looks once, then answers. What pictures
it was shown, it notes: as providers are given them, by their bytes.
"""

from collections.abc import Sequence
from typing import Any, cast
from uuid import uuid4

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from rl.features.reading_policy import least

PICTURES = ("image_url", "image")
ARGUMENTS: dict[str, dict[str, Any]] = {"zoom_in": {"image": 1, "box": [100, 100, 400, 400]}, "ask_looker": {}}
"""What it calls where it may, in this order."""


class OtherModel(BaseChatModel):
    """A model of a provider."""

    answer: str
    shown: list[int] = Field(default_factory=list[int])
    """For each call of it, how many pictures it was shown."""

    @property
    def _llm_type(self) -> str:
        return "other"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """As LangChain's providers do."""
        described = [convert_to_openai_tool(tool) for tool in tools]
        bound = self.bind(tools=described, tool_choice=tool_choice, **kwargs)
        return cast("Runnable[LanguageModelInput, AIMessage]", bound)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.shown.append(sum(_pictures(message) for message in messages))
        said = self._said(messages, kwargs.get("tools") or [], kwargs.get("tool_choice"))
        return ChatResult(generations=[ChatGeneration(message=said)])

    def _said(self, messages: Sequence[BaseMessage], tools: Sequence[Any], choice: Any) -> AIMessage:
        schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}
        if choice not in (None, "auto", "none"):
            name, schema = next(iter(schemas.items()))
            return _calling(name, least(schema, schema, self.answer))
        spoke = any(isinstance(message, AIMessage) for message in messages)
        wanted = next((name for name in ARGUMENTS if name in schemas), None)
        if wanted is not None and not spoke:
            return _calling(wanted, ARGUMENTS[wanted])
        return AIMessage(self.answer)


def _calling(name: str, arguments: dict[str, Any]) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": uuid4().hex, "type": "tool_call"}])


def _pictures(message: BaseMessage) -> int:
    """Pictures by their bytes. Raises ValueError for one by an id, which no provider knows."""
    content: Any = message.content  # pyright: ignore[reportUnknownMemberType]
    blocks: list[dict[str, Any]] = [block for block in content if isinstance(block, dict)] if content else []
    pictures = [block for block in blocks if block.get("type") in PICTURES]
    if named := [block for block in pictures if "file_id" in block]:
        raise ValueError(f"Got the picture {named[0]}, expected its bytes.")
    return len(pictures)
