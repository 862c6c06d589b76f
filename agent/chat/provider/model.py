"""Any LangChain chat model as one that our graphs run on: images by their ids, our tools, one rule for faults.

The model is asked by the methods that every integration implements (`_generate`, `_stream` and their asynchronous
forms), and what LangChain does around them (callbacks, rate limit, cache) is taken over here: so a call is one run in a
trace and one message in a stream, not two. Nothing is known of its tokens: it cannot be trained, and an episode that is
to be recorded exactly refuses it.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding, RunnableParallel, RunnableSequence
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from agent.chat.base import ImageChatModel
from agent.chat.guided_decoding import described
from agent.chat.images import MessageImages
from agent.chat.provider.errors import as_policy_errors
from agent.chat.provider.prompt import provider_messages
from agent.chat.provider.reply import ReplyReader, chunks_of, merged, no_message
from agent.chat.record.episode import Episode, current_episode
from agent.chat.sampling import SAMPLING_KEY
from agent.chat.structured_output import answer_parser, call_parser, parsed
from agent.policies.image_urls import ImageURLs
from agent.policies.policy import PolicyError
from agent.prompt import how_to_read
from agent.question import sampling_fields
from tools.images.store import ImageStore

INSTRUCTIONS = how_to_read(tools=True)
TAKEN_OVER = (
    "cache",
    "callbacks",
    "custom_get_token_ids",
    "disable_streaming",
    "metadata",
    "output_version",
    "profile",
    "rate_limiter",
    "tags",
    "verbose",
)
"""Fields of a chat model that LangChain itself acts on, around the model's own methods."""
SETTINGS = {
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "min_p": ("min_p",),
    "seed": ("seed",),
    "max_tokens": ("max_tokens", "max_output_tokens", "num_predict"),
}
"""What each part of a Sampling is called by the fields of chat models."""
ALL = {"top_p": 1.0, "min_p": 0.0}
"""With these, every token may be sampled."""
ABOUT_TOOLS = ("tools", "tool_choice", "parallel_tool_calls", "strict")


@dataclass(frozen=True)
class Request:
    """One call of the model, ready to be made."""

    messages: list[BaseMessage]
    options: dict[str, Any]
    incoming: ReplyReader


class ProviderChatModel(ImageChatModel):
    """Any chat model, shown the images of a store by their ids: `ProviderChatModel(model=ChatOpenAI(model="..."))`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: BaseChatModel
    store: Any = Field(default=None, exclude=True, repr=False)
    """An `ImageStore`; None: a temporary one, gone with the model."""
    instructions: str = INSTRUCTIONS
    """Stands before every conversation, in its system message."""
    options: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Go to every call and win over what is asked of it; None leaves an option out, such as a temperature that the
    model refuses."""
    errors: tuple[type[Exception], ...] = ()
    """What else, of a client that we do not know, becomes a PolicyError."""

    _unrecorded: Episode = PrivateAttr(default_factory=Episode)
    _pictures: MessageImages = PrivateAttr()
    _urls: ImageURLs = PrivateAttr(default_factory=ImageURLs)
    _temporary: tempfile.TemporaryDirectory[str] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _open(self) -> Self:
        if isinstance(self.model, ImageChatModel):
            raise ValueError(
                f"Got a {type(self.model).__name__}, expected another chat model: it is shown images as it is."
            )
        for name in TAKEN_OVER:
            if name not in self.model_fields_set:
                setattr(self, name, getattr(self.model, name))
        if self.store is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="medvista-images-")
            self.store = ImageStore(self._temporary.name)
        self._pictures = MessageImages(self.store)
        return self

    @property
    def _llm_type(self) -> str:
        return "medvista-provider"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.version, "instructions": self.instructions, **self.model.asdict(), **self.options}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.model._get_ls_params(stop=stop, **kwargs)  # pyright: ignore[reportPrivateUsage]

    @property
    def version(self) -> str:
        """The model's name: what its turns are said to be sampled by."""
        named = self.model._get_ls_params().get("ls_model_name")  # pyright: ignore[reportPrivateUsage]
        return str(named or type(self.model).__name__)

    @property
    def image_store(self) -> ImageStore:
        """Where the images of its messages lie."""
        return cast(ImageStore, self.store)

    def why_not_shown(self, image: str) -> str | None:
        """None: which images a provider refuses, it says when it is asked."""
        return None

    # what a caller asks for

    def bind_tools(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools, described in its provider's way. Raises PolicyError where it takes none."""
        shown: list[Any] = [tool if isinstance(tool, dict) else described(tool) for tool in tools]
        return cast("Runnable[LanguageModelInput, AIMessage]", self.bind(**self._bound(shown, tool_choice, kwargs)))

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """The model asked for JSON of `schema` in its provider's way, parsed as a policy's is.

        What cannot be read raises OutputParserException. `method` and the like go to the model.
        """
        told = convert_to_json_schema(schema)  # of a class, OpenAI's client parses itself, and raises in its own way
        with as_policy_errors(self.version, self.errors):
            asked = _binding(self.model.with_structured_output(told, **kwargs), self.model)
        held = self.bind(**asked)
        if not asked.get("tools"):
            return parsed(held, answer_parser(schema), include_raw)
        return parsed(held, call_parser(schema, str(described(told)["function"]["name"])), include_raw)

    def _bound(self, tools: Sequence[Any], choice: Any, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options that offer `tools` to the model."""
        asked = {name: value for name, value in options.items() if value is not None}
        if choice is not None:
            asked["tool_choice"] = choice
        with as_policy_errors(self.version, self.errors):
            return _binding(self.model.bind_tools(tools, **asked), self.model)

    # one call

    def _request(self, messages: Sequence[BaseMessage], options: Mapping[str, Any]) -> Request:
        configurable = ensure_config().get("configurable", {})
        episode = current_episode(configurable, self._unrecorded)
        if episode.policy is not None:
            raise PolicyError(
                f"got {type(self).__name__} ({self.version}) in an episode that records a policy's tokens, expected "
                "PolicyChatModel: only our policies have exact tokens. Give the graph the model that it is made with."
            )
        sampling = {**sampling_fields(episode.sampling), **sampling_fields(configurable.get(SAMPLING_KEY))}
        asked = self._settings(sampling) | dict(options)
        if asked.get("tool_choice") == "none":
            asked = {name: value for name, value in asked.items() if name not in ABOUT_TOOLS}
        if _ours(tools := asked.get("tools")):
            about = {name: asked.pop(name) for name in ABOUT_TOOLS if name in asked}
            asked |= self._bound(about.pop("tools"), about.pop("tool_choice", None), about)
        asked = {name: value for name, value in {**asked, **self.options}.items() if value is not None}
        return Request(
            provider_messages(
                messages, self.instructions, self._pictures, self._png, own=self.version, calls=bool(tools)
            ),
            asked,
            ReplyReader(self.version, tags="response_format" not in asked),
        )

    def _settings(self, sampling: Mapping[str, Any]) -> dict[str, Any]:
        """What of `sampling` the model has a field for, and does not mean all there is (some refuse it beside a
        temperature)."""
        fields = type(self.model).model_fields
        named = {part: next((name for name in names if name in fields), None) for part, names in SETTINGS.items()}
        asked = {part: value for part, value in sampling.items() if part not in ALL or value != ALL[part]}
        return {name: asked[part] for part, name in named.items() if name is not None and part in asked}

    def _png(self, image: str) -> str:
        return self._urls.of(self.image_store.get(image).display()).partition(",")[2]

    def _should_stream(self, *, async_api: bool, run_manager: Any = None, **kwargs: Any) -> bool:
        return self.model._should_stream(async_api=async_api, run_manager=run_manager, **kwargs)  # pyright: ignore[reportPrivateUsage]

    def _at_once(self, request: Request, stop: list[str] | None, manager: Any) -> list[ChatGenerationChunk]:
        with as_policy_errors(self.version, self.errors):
            try:
                result = self.model._generate(request.messages, stop, manager, **request.options)  # pyright: ignore[reportPrivateUsage]
            except ValidationError as error:
                result = no_message(error)
        return chunks_of(result, request.incoming)

    async def _at_once_async(self, request: Request, stop: list[str] | None, manager: Any) -> list[ChatGenerationChunk]:
        with as_policy_errors(self.version, self.errors):
            try:
                result = await self.model._agenerate(request.messages, stop, manager, **request.options)  # pyright: ignore[reportPrivateUsage]
            except ValidationError as error:
                result = no_message(error)
        return chunks_of(result, request.incoming)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return merged(self._at_once(self._request(messages, kwargs), stop, run_manager))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = await asyncio.to_thread(self._request, messages, kwargs)  # images are read and encoded
        return merged(await self._at_once_async(request, stop, run_manager))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request = self._request(messages, kwargs)
        if not self._should_stream(async_api=False, **{**request.options, "stream": True}):
            yield from self._at_once(request, stop, run_manager)
            return
        with as_policy_errors(self.version, self.errors):
            for chunk in self.model._stream(request.messages, stop, **request.options):  # pyright: ignore[reportPrivateUsage]
                yield from request.incoming.feed(chunk)
        yield from request.incoming.close()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request = await asyncio.to_thread(self._request, messages, kwargs)
        if not self._should_stream(async_api=True, **{**request.options, "stream": True}):
            for chunk in await self._at_once_async(request, stop, run_manager):
                yield chunk
            return
        with as_policy_errors(self.version, self.errors):
            async for chunk in self.model._astream(request.messages, stop, **request.options):  # pyright: ignore[reportPrivateUsage]
                for passed in request.incoming.feed(chunk):
                    yield passed
        for chunk in request.incoming.close():
            yield chunk


def with_images(model: BaseChatModel, store: ImageStore | None = None) -> ImageChatModel:
    """The chat model as one that is shown images by their ids: one of ours as it is, any other wrapped.

    `store` is where a wrapped model's images lie; None: a temporary one. Raises TypeError for what is no chat model.
    """
    if isinstance(model, ImageChatModel):
        return model
    if not isinstance(model, BaseChatModel):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"Got a {type(model).__name__}, expected a LangChain chat model (a BaseChatModel): give the model itself, "
            "without tools bound to it, and as one that init_chat_model makes of a whole name."
        )
    return ProviderChatModel(model=model, store=store)


def _ours(tools: object) -> bool:
    """Whether tools are described as we describe them, not in a provider's own way."""
    listed = cast("list[object]", tools) if isinstance(tools, list) else []
    return any(isinstance(tool, Mapping) and "function" in tool for tool in listed)


def _binding(made: object, model: BaseChatModel) -> dict[str, Any]:
    """The options that a runnable made from `model` asks it with. Raises TypeError where it does not ask it."""
    runnable = cast(Any, made)
    if isinstance(made, RunnableBinding) and runnable.bound is model:
        return dict(runnable.kwargs)
    if isinstance(made, RunnableSequence):
        return _binding(runnable.first, model)
    if isinstance(made, RunnableParallel):
        return _binding(next(iter(runnable.steps__.values())), model)
    raise TypeError(f"got a {type(runnable).__name__} that does not ask {type(model).__name__}, expected one that does")
