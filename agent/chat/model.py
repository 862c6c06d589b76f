"""Any of our policies as a LangChain chat model: what `create_agent` and graphs of one's own run on and are trained by.

The model holds no conversation. Each call finds its place in the episode that records here
(agent/chat/record/episode.py), renders only what is new, and adds what was sampled. Outside an episode the model
remembers its latest turns and keeps all of them beside the images (agent/chat/record/sample_store.py), so a thread
stays token-exact in a server too, and in the next one.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, cast

from langchain_core.callbacks import AsyncCallbackManager, AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from langchain_core.utils import from_env
from langchain_core.utils.function_calling import convert_to_json_schema
from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from agent.chat import synchronous
from agent.chat.base import ImageChatModel
from agent.chat.families.family import Family
from agent.chat.guided_decoding import described, response_format, structure
from agent.chat.images import MessageImages
from agent.chat.loading import family_in, served_at
from agent.chat.messages import MessageError, content_of, sample_of
from agent.chat.record.episode import Episode, current_episode, new_sample
from agent.chat.record.policy_calls import PolicyCall
from agent.chat.record.positions import Position
from agent.chat.record.sample_store import SAMPLES, SampleStore
from agent.chat.reply import FAULT, Chunks, Reply
from agent.chat.sampling import SAMPLING_OPTIONS, differs, sampling_of
from agent.chat.structured_output import answer_parser, call_parser, parsed
from agent.chat.turn_reader import Piece
from agent.encoder import EncodingError
from agent.policies.policy import Completion, Policy, PolicyError, Sampling
from agent.policies.streaming import streamed
from tools.calls import ToolCall
from tools.images.store import ImageStore

REMEMBERED_TURNS = 4096
"""Turns that a model has in memory outside an episode."""
KNOWN_OPTIONS = {*SAMPLING_OPTIONS, "tools", "tool_choice", "response_format", "parallel_tool_calls"}
HARMLESS_OPTIONS = {"strict", "stream", "ls_structured_output_format", "model", "stream_usage"}
"""What LangChain itself passes along, and nothing depends on here."""
END_OF_CALL = "</tool_call>"
"""Where a policy that may make one call only is stopped; every family ends a call so."""
Method = Literal["json_schema", "function_calling", "json_mode"]
Manager = CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | AsyncCallbackManager | None
"""Says in which run of a graph a call is made."""
Here = tuple[Episode, Mapping[str, Any]]
"""An episode, and `config["configurable"]`."""


@dataclass(frozen=True)
class Request:
    """One call of the policy, ready to be made."""

    episode: Episode
    at: Position
    policy: Policy
    ids: list[int]
    images: list[Image]
    sampling: Sampling
    stops: tuple[str, ...]
    call: PolicyCall


class PolicyChatModel(ImageChatModel):
    """A policy as a chat model.

    From parts: `PolicyChatModel(policy=..., family=family_of(processor), store=ImageStore(...))`. From names:
    `PolicyChatModel(checkpoint="folder", base_url="http://127.0.0.1:8000", images="folder")`, a vLLM server that
    holds the checkpoint; where they are left out, MEDVISTA_CHECKPOINT and MEDVISTA_SERVER name them.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, populate_by_name=True)

    policy: Any = Field(default=None, exclude=True, repr=False)
    """A `Policy`; None: the server at `base_url`, or an episode's own."""
    family: Any = Field(default=None, exclude=True, repr=False)
    """A `Family`; None: that of the checkpoint."""
    store: Any = Field(default=None, exclude=True, repr=False)
    """An `ImageStore`; None: in the folder `images`."""
    checkpoint: str | None = Field(default_factory=from_env("MEDVISTA_CHECKPOINT", default=None))
    base_url: str | None = Field(default_factory=from_env("MEDVISTA_SERVER", default=None))
    images: str | None = None
    """A folder; None: a temporary one, gone with the model."""
    model_name: str = Field(default="policy", alias="model")
    """What the server calls the policy."""
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    max_tokens: int = 256
    """The most ids of one turn."""
    context: int = 2048
    """The most ids of a conversation and its next turn."""
    seed: int | None = None
    stop_sequences: list[str] | None = Field(default=None, alias="stop")

    _remembered: Episode = PrivateAttr()
    _pictures: MessageImages = PrivateAttr()
    _temporary: tempfile.TemporaryDirectory[str] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _open(self) -> Self:
        if self.family is None:
            if self.checkpoint is None:
                raise ValueError("Got neither family nor checkpoint, expected one of them: it says how to speak.")
            self.family = family_in(Path(self.checkpoint))
        if self.policy is None and self.base_url is not None:
            checkpoint = Path(self.checkpoint) if self.checkpoint else None
            self.policy = served_at(self.base_url, checkpoint, self.model_name)
        if self.store is None:
            if self.images is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="medvista-images-")
            self.store = ImageStore(self.images or cast("Any", self._temporary).name)
        self._pictures = MessageImages(self.store)
        samples = SampleStore(cast(ImageStore, self.store).folder / SAMPLES)
        self._remembered = Episode(keep=REMEMBERED_TURNS, samples=samples)
        return self

    @property
    def _llm_type(self) -> str:
        return "medvista-policy"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model_name, **{name: getattr(self, name) for name in SAMPLING_OPTIONS}}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params |= {"ls_provider": "medvista", "ls_model_name": kwargs.get("model", self.model_name)}
        if stops := stop or self.stop_sequences:
            params["ls_stop"] = stops
        return params

    @property
    def version(self) -> str | None:
        """The policy's version that samples now; None where the policy cannot say."""
        return getattr(self.policy, "version", None)

    @property
    def image_store(self) -> ImageStore:
        """Where the images of its messages lie."""
        return cast(ImageStore, self.store)

    def why_not_shown(self, image: str) -> str | None:
        """Why the policy's image processor refuses an image of the store; None if it does not."""
        try:
            cast(Family, self.family).grid(self.image_store.get(image))
        except EncodingError as error:
            return str(error)
        return None

    # what a caller asks for

    def bind_tools(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        parallel_tool_calls: bool = True,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools in its prompt.

        `tool_choice` "any" or a tool's name forces a call by a grammar; such calls are not trained by default.
        """
        options: dict[str, Any] = {**kwargs, "tools": [described(tool) for tool in tools]}
        if tool_choice is not None:
            options["tool_choice"] = tool_choice
        if not parallel_tool_calls:
            options["parallel_tool_calls"] = False
        return cast("Runnable[LanguageModelInput, AIMessage]", self.bind(**options))

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, method: Method = "json_schema", **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """The model held by a grammar to answer with JSON of `schema`, parsed.

        `method`: "json_schema" (the answer is JSON), "json_mode" (the same; a grammar costs nothing more) or
        "function_calling" (a forced call of a tool of that schema). What cannot be read raises OutputParserException.
        """
        told = {"kwargs": {"method": method}, "schema": convert_to_json_schema(schema)}
        if method == "function_calling":
            name = str(described(schema)["function"]["name"])
            held = self.bind_tools([schema], tool_choice=name, ls_structured_output_format=told, **kwargs)
            return parsed(held, call_parser(schema, name), include_raw)
        held = self.bind(response_format=response_format(schema), ls_structured_output_format=told)
        return parsed(held, answer_parser(schema), include_raw)

    # one call

    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """As every chat model's. Where nobody listens (no callback, no tracer), what LangChain does for those who do is
        left out: it looks through the whole conversation with every turn, and takes longer than the graph's own nodes.
        """
        config = ensure_config(config)
        given, tags, metadata = config.get("callbacks"), config.get("tags"), config.get("metadata")
        manager = AsyncCallbackManager.configure(
            given, self.callbacks, self.verbose, tags, self.tags, metadata, self.metadata
        )
        kept = self.cache or self.rate_limiter or self.output_version or get_llm_cache() is not None
        if manager.handlers or kept:
            return await super().ainvoke(input, config, stop=stop, **kwargs)
        messages = convert_to_messages(input) if isinstance(input, list) else self._convert_input(input).to_messages()
        return await self._answer(await self._asked(messages, stop, manager, kwargs))

    def _request(
        self,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        manager: Manager,
        options: Mapping[str, Any],
        here: Here | None = None,
    ) -> Request:
        """A call ready to be made; `here` where it has been found out already."""
        if unknown := set(options) - KNOWN_OPTIONS - HARMLESS_OPTIONS:
            raise TypeError(f"Got the options {sorted(unknown)}, expected some of {sorted(KNOWN_OPTIONS)}.")
        if not messages:
            raise MessageError("Got no message, expected at least one.")
        family = cast(Family, self.family)
        store = cast(ImageStore, self.store)
        episode, configurable = here or self._here()
        policy = cast("Policy | None", episode.policy or self.policy)
        if policy is None:
            raise PolicyError("This chat model has no policy: give it one, or run it in an Episode that has one.")
        choice = options.get("tool_choice")
        tools = cast("list[dict[str, Any]]", [] if choice == "none" else options.get("tools") or [])
        sayings, known = episode.sayings, self._pictures  # once: pydantic looks a private attribute up for long
        history = [
            (sayings.of(message, known), sample_of(message) if isinstance(message, AIMessage) else None)
            for message in messages
        ]
        at = episode.locate(history, family, tools, store.get)
        ids, images = episode.prompt(at)
        stops = tuple(stop or self.stop_sequences or ())
        parallel = options.get("parallel_tool_calls", True)
        held = structure(family, tools, choice, options.get("response_format"), parallel)
        one_call = (END_OF_CALL,) if tools and not parallel and held is None else ()
        sampling = replace(
            sampling_of(options, configurable, episode.sampling or self._own_sampling(), self.context, at.length),
            banned=family.banned,
            stop=(*stops, *one_call),
            structure=held,
        )
        call = _call(manager, held is not None, differs(sampling, episode.sampling))
        call, policy = episode.begin(at, call, policy)
        pictures = [store.get(image).display() for image in images]
        return Request(episode, at, policy, ids, pictures, sampling, stops, call)

    def _here(self) -> Here:
        """The episode that records here, and what the run's config holds."""
        configurable = ensure_config().get("configurable", {})
        return current_episode(configurable, self._remembered), configurable

    def _own_sampling(self) -> Sampling:
        return Sampling(self.temperature, self.top_p, self.max_tokens, self.seed, min_p=self.min_p)

    def _done(
        self, request: Request, completion: Completion, reply: Reply, pieces: Sequence[Piece | ToolCall]
    ) -> AIMessage:
        """Ends a turn: its message, and its place in the record."""
        message = reply.message(pieces, completion, request.at.length, self.model_name)
        says = content_of(message, self._pictures)
        malformed = FAULT in message.response_metadata
        request.episode.record(request.at, completion, says, request.call, malformed, request.policy)
        return message

    def _reply(self, request: Request) -> Reply:
        family = cast(Family, self.family)
        return Reply(request.call.sample, family, family.reader(), request.stops)

    async def _answer(self, request: Request) -> AIMessage:
        completion = await request.policy.generate(request.ids, request.images, request.sampling)
        reply = self._reply(request)
        pieces = [*reply.feed(completion.token_ids), *reply.close()]
        return await self._ended(request, completion, reply, pieces)

    async def _asked(
        self, messages: Sequence[BaseMessage], stop: Sequence[str] | None, manager: Manager, options: Mapping[str, Any]
    ) -> Request:
        """As `_request`; in a thread where the record lies on a disk, for which an event loop must not wait."""
        here = self._here()
        if here[0].keeps_samples:
            return await asyncio.to_thread(self._request, messages, stop, manager, options, here)
        return self._request(messages, stop, manager, options, here)

    async def _ended(
        self, request: Request, completion: Completion, reply: Reply, pieces: Sequence[Piece | ToolCall]
    ) -> AIMessage:
        """As `_done`; in a thread as `_asked` is."""
        if request.episode.keeps_samples:
            return await asyncio.to_thread(self._done, request, completion, reply, pieces)
        return self._done(request, completion, reply, pieces)

    async def _chunks(self, request: Request) -> AsyncIterator[ChatGenerationChunk]:
        reply, chunks = self._reply(request), Chunks(request.call.sample)
        pieces: list[Piece | ToolCall] = []
        async for item in streamed(request.policy, request.ids, request.images, request.sampling):
            ended = isinstance(item, Completion)
            new = list(reply.close() if ended else reply.feed(item))
            pieces += new
            message = await self._ended(request, item, reply, pieces) if ended else None
            for piece in new:
                yield ChatGenerationChunk(message=chunks.of(piece))
            if message is not None:
                yield ChatGenerationChunk(message=chunks.last(message))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, run_manager, kwargs)
        return _result(synchronous.wait(self._answer(request), request.episode.loop))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result(await self._answer(await self._asked(messages, stop, run_manager, kwargs)))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request = self._request(messages, stop, run_manager, kwargs)
        for chunk in synchronous.each(self._chunks(request), request.episode.loop):
            if run_manager is not None:
                run_manager.on_llm_new_token(str(chunk.text), chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for chunk in self._chunks(await self._asked(messages, stop, run_manager, kwargs)):
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(chunk.text), chunk=chunk)
            yield chunk


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _call(manager: Manager, guided: bool, own_sampling: bool) -> PolicyCall:
    """Who calls, as LangGraph and the caller's config say."""
    metadata = manager.metadata if manager is not None else {}
    levels = str(metadata.get("langgraph_checkpoint_ns", "")).split("|")
    return PolicyCall(
        sample=new_sample(),
        node=str(metadata.get("langgraph_node", "")),
        tags=tuple(manager.tags) if manager is not None else (),
        namespace="|".join(level.partition(":")[0] for level in levels),
        guided=guided,
        own_sampling=own_sampling,
    )
