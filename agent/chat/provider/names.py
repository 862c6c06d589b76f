"""A chat model by its name: `openai:NAME`, or any provider of LangChain; or the address of a server of one's own.

`http://host:port/v1` is a server that speaks OpenAI's interface (vLLM, Ollama, llama.cpp, ...), with `#MODEL` where it
serves several. Its key is found as our own servers' keys are, else in OPENAI_API_KEY; a server on loopback is never
asked through a proxy. What is missing is named: the package to install, the variable with the key.
"""

import os
from ipaddress import ip_address
from typing import Any, cast

import httpx
from langchain_core.language_models import BaseChatModel

from agent.chat.provider.errors import as_policy_errors
from agent.policies.policy import PolicyError
from agent.serving.key import authorization

KEY = "OPENAI_API_KEY"
EXPECTED = "expected PROVIDER:MODEL, such as openai:gpt-5, or http://HOST:PORT/v1, with #MODEL where it serves several"
TIMEOUT_S = 30.0
"""For the question which models a server has."""


class ModelNameError(PolicyError):
    """A name that names no chat model that can be made here; says what was got, what is expected and how to mend it."""


def chat_model_named(name: str) -> BaseChatModel:
    """The chat model of a name. Raises ModelNameError, and PolicyError where its server or its key is missing."""
    if name.startswith(("http://", "https://")):
        url, _, model = name.partition("#")
        return _served(url.rstrip("/"), model)
    provider, colon, model = name.partition(":")
    if not (colon and provider.isidentifier() and model):
        raise ModelNameError(f"got the model {name!r}, {EXPECTED}")
    return _made(name)


def _served(url: str, model: str) -> BaseChatModel:
    """The chat model of a server that speaks OpenAI's interface."""
    key = _key(url)
    settings: dict[str, Any] = {"model_provider": "openai", "base_url": url, "api_key": key}
    if _is_loopback(url):  # an idle connection would belong to the event loop that opened it
        limits = httpx.Limits(max_keepalive_connections=0)
        settings["http_client"] = httpx.Client(trust_env=False, limits=limits, timeout=None)
        settings["http_async_client"] = httpx.AsyncClient(trust_env=False, limits=limits, timeout=None)
    return _made(model or _only_model(url, key), **settings)


def _made(name: str, **settings: Any) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model

        with as_policy_errors(name):
            return cast(BaseChatModel, init_chat_model(name, **settings))
    except ImportError as error:
        raise ModelNameError(
            f"got the model {name!r}, but a package for it is not installed ({error}); expected langchain and its "
            "package for that provider: pip install 'medvista[chat]' for OpenAI and servers that speak its interface, "
            f"pip install langchain langchain-{name.partition(':')[0].replace('_', '-')} for another"
        ) from error


def _only_model(url: str, key: str) -> str:
    """The name of the one model that a server has. Raises PolicyError."""
    headers = {"authorization": f"Bearer {key}"}
    with as_policy_errors(url):
        answer = httpx.get(f"{url}/models", headers=headers, timeout=TIMEOUT_S, trust_env=not _is_loopback(url))
        answer.raise_for_status()
        names = [str(model["id"]) for model in answer.json()["data"]]
    if len(names) != 1:
        told = ", ".join(names[:20]) or "none"
        raise ModelNameError(f"got the address {url}, whose models are {told}; expected {url}#MODEL")
    return names[0]


def _key(url: str) -> str:
    """The key of a server; most of those that ask for none want some word."""
    ours = authorization(url).get("authorization", "").removeprefix("Bearer ")
    return ours or os.environ.get(KEY) or "none"


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
