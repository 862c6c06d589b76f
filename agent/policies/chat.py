"""Any LangChain chat model as a policy: a teacher or a baseline, never trainable.

A chat model speaks text, so the prompt ids are decoded into a chat (one message per turn, each picture where its
placeholder stands) and the reply is encoded once, with the token that ends a turn. The ids are then ours, not what the
model sampled, and nobody knows their probability: every log-probability is NaN. That is the mark of a turn that must
not be weighted by importance: RL refuses a trajectory that holds one, supervised warm-up needs none of them.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import httpx
from langchain_core.exceptions import LangChainException
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from PIL.Image import Image

from agent.encoder import Encoder
from agent.policies.picture_urls import PictureURLs
from agent.policies.policy import Completion, PolicyError, Sampling
from agent.prompt import END_OF_TURN, plain

CUT = ("length", "max_tokens", "MAX_TOKENS")
"""How providers say that a reply was cut by its token limit."""
PROVIDER_ERRORS = (
    ("openai", "OpenAIError"),
    ("anthropic", "AnthropicError"),
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("google.genai.errors", "APIError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("ollama", "ResponseError"),
)
"""The base error of each provider's client, (module, name); looked up only where the client is loaded."""
Part = dict[str, Any]


class ChatPolicy:
    """Asks a chat model for each turn. `encoder` is that of the ledger, whatever tokenizer the model has itself."""

    def __init__(
        self,
        model: BaseChatModel,
        encoder: Encoder,
        version: str = "chat",
        options: Mapping[str, Any] | None = None,
        errors: tuple[type[Exception], ...] = (),
    ) -> None:
        """`options` go to every call and win over what `Sampling` asks; None leaves an option out (a model that refuses
        a temperature: `{"temperature": None}`). `errors`: what else, of a client we do not know, becomes a PolicyError.
        """
        self._model = model
        self._encoder = encoder
        self._version = version
        self._options = dict(options or {})
        self._errors = errors
        self._urls = PictureURLs()

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """One turn. Raises PolicyError where the model gives none.

        The reply is cut at `sampling.max_tokens` of our tokens, so that it fits the ledger's context.
        """
        messages = chat_messages(token_ids, [self._urls.of(image) for image in images], self._encoder)
        try:
            reply = await self._model.ainvoke(messages, **self._settings(sampling))
        except (LangChainException, httpx.HTTPError, OSError, ValueError, *self._errors, *_provider_errors()) as error:
            raise PolicyError(
                f"got {type(error).__name__} from the chat model ({error}), expected a reply; check its key, its "
                "address and that it takes images, and leave out by `options` what it refuses"
            ) from error
        cut = reply.response_metadata.get("finish_reason", reply.response_metadata.get("stop_reason")) in CUT
        ids, _ = self._encoder.encode(plain(str(reply.text)) + ("" if cut else END_OF_TURN))
        kept = tuple(ids[: sampling.max_tokens])
        return Completion(
            token_ids=kept,
            logprobs=(math.nan,) * len(kept),
            finish_reason="length" if cut or len(kept) < len(ids) else "stop",
            versions=(self._version,),
            prompt_tokens=None,
        )

    def _settings(self, sampling: Sampling) -> dict[str, Any]:
        """What of `sampling` the model has a setting for, and the options."""
        asked = {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens, "seed": sampling.seed}
        if sampling.top_p < 1.0:
            asked["top_p"] = sampling.top_p
        fields = type(self._model).model_fields
        known = {name: value for name, value in asked.items() if name in fields}
        return {name: value for name, value in {**known, **self._options}.items() if value is not None}


def chat_messages(token_ids: Sequence[int], pictures: Sequence[str], encoder: Encoder) -> list[BaseMessage]:
    """The prompt as messages, pictures (data URLs) where their placeholders stand. Raises PolicyError.

    Read by ids, not by text: what only looks like a control token in a question or in a reply is text.
    """
    if (got := token_ids.count(encoder.image_pad)) != len(pictures):
        raise PolicyError(f"got {len(pictures)} images for {got} placeholders in the prompt, expected as many")
    left = iter(pictures)
    return [_message(_parts(ids, left, encoder)) for ids in _closed_turns(token_ids, encoder)]


def _closed_turns(token_ids: Sequence[int], encoder: Encoder) -> Iterator[list[int]]:
    """The ids between each `<|im_start|>` and its `<|im_end|>`; not the last turn, which the model is to write."""
    (start,), _ = encoder.encode("<|im_start|>")
    turn: list[int] | None = None
    for token in token_ids:
        if token == start:
            turn = []
        elif turn is not None and token == encoder.end_of_turn:
            yield turn
            turn = None
        elif turn is not None:
            turn.append(token)


def _parts(ids: Sequence[int], pictures: Iterator[str], encoder: Encoder) -> list[Part]:
    """One turn's text and pictures in order; the first text begins with the role."""
    frame = set(encoder.encode("<|vision_start|><|vision_end|>")[0])
    parts: list[Part] = []
    for is_picture, group in groupby((token for token in ids if token not in frame), encoder.image_pad.__eq__):
        run = list(group)
        if is_picture:
            parts += [{"type": "image_url", "image_url": {"url": next(pictures)}} for _ in run]
        else:
            parts.append({"type": "text", "text": encoder.decode(run)})
    return parts


def _message(parts: list[Part]) -> BaseMessage:
    role, _, text = str(parts[0]["text"]).partition("\n")
    if role == "user":
        return HumanMessage(content=[{"type": "text", "text": text}, *parts[1:]] if parts[1:] else text)
    if role in ("system", "assistant") and len(parts) == 1:
        return SystemMessage(content=text) if role == "system" else AIMessage(content=text)
    raise PolicyError(f"got a turn of role {role[:40]!r}, expected system, user (who alone shows images) or assistant")


def _provider_errors() -> tuple[type[Exception], ...]:
    """Those of PROVIDER_ERRORS whose client is loaded."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in PROVIDER_ERRORS)
    return tuple(error for error in found if isinstance(error, type) and issubclass(error, Exception))
