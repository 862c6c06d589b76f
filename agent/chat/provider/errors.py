"""What goes wrong at a provider, as our policies say it: PolicyError with what to do, ContextFull for a full context.

Providers' clients are not imported: their errors are told by LangChain's own kinds where an integration raises those,
by the HTTP status that nearly all carry, and by the base error of each client that is loaded.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import httpx
from langchain_core.exceptions import ContextOverflowError, LangChainException, OutputParserException

from agent.policies.policy import PolicyError
from agent.policies.served import ContextFull

FOREIGN = (LangChainException, httpx.HTTPError, OSError, ValueError, TypeError, LookupError, NotImplementedError)
"""What code of a provider raises beside its client's own errors."""
CLIENTS = (
    ("openai", "OpenAIError"),
    ("anthropic", "AnthropicError"),
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("google.genai.errors", "APIError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("groq", "GroqError"),
    ("ollama", "ResponseError"),
)
"""The base error of each provider's client, (module, name)."""
FULL = ("context length", "context window", "maximum model length", "prompt is too long", "token count exceeds")
"""What providers say where a conversation does not fit, in small letters."""
TOO_SHORT = ("LengthFinishReasonError",)
"""What clients that read JSON themselves raise where it was cut by the limit of tokens."""
ADVICE = {
    400: "it refuses the request: check that the model takes images and tools, and leave out by `options` what it "
    "refuses",
    401: "check its key, in the environment variable that its package reads (OPENAI_API_KEY, ANTHROPIC_API_KEY, ...)",
    403: "the key may not use this model: check its rights, or take another",
    404: "check the model's name and the address",
    429: "its rate limit or quota is reached: wait, ask less at once, or give the model a rate_limiter",
    500: "the provider failed: ask again later",
}
OTHERWISE = "check its address, the network and its key, and that it takes images and tools"
LONGEST = 1000
"""Characters of a provider's message that are repeated."""


@contextmanager
def as_policy_errors(model: str, further: tuple[type[Exception], ...] = ()) -> Generator[None]:
    """Around calls of a provider's code; `further` are errors of a client that is not known here.

    Raises PolicyError, and OutputParserException for a structured answer that was cut.
    """
    try:
        yield
    except (*FOREIGN, *further, *_loaded()) as error:
        if type(error).__name__ in TOO_SHORT:
            raise OutputParserException(f"Got a structured answer that was cut: {error}; raise max_tokens.") from error
        raise _policy_error(error, model) from error


def _policy_error(error: Exception, model: str) -> PolicyError:
    told = f"{type(error).__name__} from the chat model {model} ({str(error)[:LONGEST]})"
    if isinstance(error, ContextOverflowError) or any(words in str(error).lower() for words in FULL):
        return ContextFull(f"got {told}, expected room for an answer: end the episode, or show fewer images.")
    return PolicyError(f"got {told}, expected a reply; {_advice(_status(error))}")


def _advice(status: int | None) -> str:
    known = 400 if status == 422 else 500 if status is not None and status > 500 else status
    return ADVICE.get(known or 0, OTHERWISE)


def _status(error: object) -> int | None:
    """The HTTP status, where clients keep it."""
    response = getattr(error, "response", None)
    found = (getattr(error, "status_code", None), getattr(error, "code", None), getattr(response, "status_code", None))
    return next((status for status in found if isinstance(status, int)), None)


def _loaded() -> tuple[type[Exception], ...]:
    """Those of CLIENTS whose client is loaded."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in CLIENTS)
    return tuple(error for error in found if isinstance(error, type) and issubclass(error, Exception))
