"""A graph as an application runs it: policy, tools, images and threads named by environment variables, or left alone.

| variable | names | default |
|---|---|---|
| `MEDVISTA_MODEL` | any other chat model in the policy's place: `openai:NAME`, `http://host:port/v1` | our policy |
| `MEDVISTA_CHECKPOINT` | the folder of the policy's checkpoint | what runs, else the last version, else the base |
| `MEDVISTA_SERVER` | the address of a vLLM server that holds it | one of our own is found or started |
| `MEDVISTA_SERVER_KEY` | the key of that server, where others started it | found by the address |
| `MEDVISTA_TOOLS` | tools or families, with commas | `default_tools` of graphs/app/chat_model.py: what fits the model |
| `MEDVISTA_IMAGES` | the folder of the image store | `runs/application/images` |
| `MEDVISTA_THREADS` | an SQLite file or `postgresql://...` | `runs/application/threads.sqlite` |
| `MEDVISTA_CONTEXT` | most ids of a conversation | 2048 |

The policy's server is looked for when a graph first asks, so graphs can be listed and drawn without one.
"""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from PIL.Image import Image

from agent.chat.base import ImageChatModel
from agent.chat.loading import family_in
from agent.chat.provider.model import with_images
from agent.chat.provider.names import chat_model_named
from agent.limits import Limits
from agent.policies.policy import Completion, Policy, Sampling
from graphs.app import catalogue
from graphs.app.chat_model import chat_model, default_tools
from graphs.app.connection import Connection, checkpoint_for, connect
from graphs.app.default_checkpoint import RUNS
from graphs.app.threads import open_threads
from graphs.parts.state import Checkpointer
from tools.images.store import ImageStore
from tools.registry import load_tools

FOLDER = RUNS / "application"


@dataclass(frozen=True)
class Settings:
    """What an application's graphs stand on."""

    checkpoint: Path | None = None
    server: str | None = None
    tools: str | None = None
    """None: what fits the model (`graphs.app.chat_model.default_tools`)."""
    images: Path = FOLDER / "images"
    threads: str = str(FOLDER / "threads.sqlite")
    context: int = Limits.context
    model: str | None = None
    """A chat model that is none of ours, by its name (`agent.chat.provider.names`)."""

    @classmethod
    def of_environment(cls, variables: Mapping[str, str] = os.environ) -> "Settings":
        """The settings that environment variables name. Raises ValueError for a context that is no whole number."""

        def named(name: str, otherwise: str) -> str:
            return variables.get(f"MEDVISTA_{name}") or otherwise

        context = named("CONTEXT", str(cls.context))
        if not context.isdecimal():
            raise ValueError(f"Got MEDVISTA_CONTEXT={context!r}, expected how many ids a conversation may have.")
        return cls(
            checkpoint=Path(named("CHECKPOINT", "")) if named("CHECKPOINT", "") else None,
            server=named("SERVER", "") or None,
            tools=named("TOOLS", "") or None,
            images=Path(named("IMAGES", str(cls.images))),
            threads=named("THREADS", cls.threads),
            context=int(context),
            model=named("MODEL", "") or None,
        )


class LazyPolicy:
    """The policy of a server that is looked for, or started, when it is first asked; and again when it has ended."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    @property
    def version(self) -> str | None:
        """The version that samples now; None before the first question."""
        return self._connection.policy.version if self._connection else None

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """As `Policy.generate`."""
        policy = (await asyncio.to_thread(self._connected)).policy
        return await policy.generate(token_ids, images, sampling)

    async def stream(
        self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling
    ) -> AsyncIterator[Sequence[int] | Completion]:
        """As `ServedPolicy.stream`."""
        policy = (await asyncio.to_thread(self._connected)).policy
        async for item in policy.stream(token_ids, images, sampling):
            yield item

    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is None or not self._connection.is_alive():
                settings = self._settings
                self._connection = connect(settings.checkpoint, settings.server, settings.context)
            return self._connection


@dataclass(frozen=True)
class Application:
    """The parts that all graphs of an application share."""

    settings: Settings
    policy: Policy
    checkpointer: Checkpointer = None
    given: BaseChatModel | str | None = None
    """A chat model, or its name, in place of the policy."""

    @cached_property
    def store(self) -> ImageStore:
        """Where images are put, and found by the ids in inputs, states and outputs."""
        return self.given.image_store if isinstance(self.given, ImageChatModel) else ImageStore(self.settings.images)

    @cached_property
    def model(self) -> ImageChatModel:
        """What the graphs speak to. Raises PolicyError for a name that names none."""
        given = self.given or self.settings.model
        if given is not None:
            return with_images(chat_model_named(given) if isinstance(given, str) else given, self.store)
        family = family_in(checkpoint_for(self.settings.checkpoint).folder)
        return chat_model(self.policy, family, self.store, Limits(context=self.settings.context))

    @cached_property
    def tools(self) -> list[BaseTool]:
        """What the model may call."""
        names = default_tools(self.model) if self.settings.tools is None else self.settings.tools
        return load_tools([name for name in names.split(",") if name])

    def graph(self, name: str) -> Any:
        """The graph of that name, as `python -m graphs list` has it. Raises KeyError."""
        return catalogue.graphs()[name].compiled(self.model, self.tools, checkpointer=self.checkpointer)


@asynccontextmanager
async def open_application(
    settings: Settings | None = None, policy: Policy | None = None, *, model: BaseChatModel | str | None = None
) -> AsyncGenerator[Application]:
    """An application of these settings (None: the environment's), its threads open until it is left.

    `policy` takes the place of the server's; `model`, any chat model of LangChain or its name, that of our policies.
    """
    settings = settings or Settings.of_environment()
    async with open_threads(settings.threads) as checkpointer:
        yield Application(settings, policy or LazyPolicy(settings), checkpointer, model)
