"""What can be evaluated, by the word that names it: a checkpoint's folder, a vLLM server, or any chat model.

`PATH` starts a vLLM server on loopback and ends it afterwards; `http://...` is one that runs already; `openai:NAME`, or
any other provider that LangChain knows, is a closed model for comparison, which speaks through the same graph.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.chat.base import ImageChatModel
from agent.chat.provider.model import with_images
from agent.chat.provider.names import chat_model_named
from agent.policies.policy import Policy
from agent.policies.retry import RetryingPolicy
from agent.policies.served import ServedPolicy
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from agent.serving.versions import LiveVersions
from graphs.app.default_checkpoint import open_checkpoint
from tools.images.store import ImageStore

MOST_IMAGES = 16


class PolicyNameError(ValueError):
    """A word that names no policy; says what was got, what is expected and how to mend it."""


@dataclass(frozen=True)
class Subject:
    """One policy under one condition."""

    name: str
    """What the report calls it."""
    spec: str
    """PATH, URL or PROVIDER:MODEL."""
    tools: bool = True
    """Whether its prompt names the tools."""

    def family_folder(self, named: Path) -> Path:
        """The folder of the checkpoint as whose family it is spoken to: its own, else `named`."""
        return open_checkpoint(Path(self.spec)).folder if _is_folder(self.spec) else named


def _is_folder(spec: str) -> bool:
    return bool(spec) and Path(spec).is_dir()


def check(spec: str) -> str:
    """The word itself where it can name a policy. Raises PolicyNameError."""
    provider, colon, model = spec.partition(":")
    if _is_folder(spec) or _is_address(spec) or (colon and provider.isidentifier() and model):
        return spec
    raise PolicyNameError(
        f"Got the policy {spec!r}, expected a checkpoint's folder, the http:// address of a vLLM server, or "
        "PROVIDER:MODEL, such as openai:gpt-5."
    )


@asynccontextmanager
async def open_subject(
    subject: Subject, concurrency: int, log: Path, context: int
) -> AsyncGenerator[Policy | None, None]:
    """The policy, served while the context lasts; None for a chat model, which needs no server (`chat_model`).

    Raises ServerError, CheckpointError.
    """
    if _is_folder(subject.spec):
        checkpoint = open_checkpoint(Path(subject.spec))
        options = ServerOptions(max_model_len=context, max_num_seqs=concurrency, images_per_prompt=MOST_IMAGES)
        async with (
            VLLMServer(checkpoint, options, log=log) as server,
            ServedPolicy(server.base_url, server.versions, concurrency=concurrency) as policy,
        ):
            yield RetryingPolicy([policy])
    elif _is_address(subject.spec):
        async with ServedPolicy(subject.spec, LiveVersions(subject.name), concurrency=concurrency) as policy:
            yield RetryingPolicy([policy])
    else:
        yield None


def chat_model(subject: Subject, store: ImageStore, url: str | None = None) -> ImageChatModel | None:
    """The chat model of a provider, or of a server at `url` that speaks OpenAI's interface; None for a policy that is
    served. Raises PolicyError."""
    served = _is_folder(subject.spec) or _is_address(subject.spec)
    if served:
        return None
    named = f"{url.rstrip('/')}#{subject.spec.partition(':')[2]}" if url else subject.spec
    return with_images(chat_model_named(named), store)


def _is_address(spec: str) -> bool:
    return spec.startswith(("http://", "https://"))
