"""The graphs for LangGraph's own server, `langgraph dev`; langgraph.json points here.

Every graph of the catalogue is an attribute of this module, because the server looks factories up by name. It calls one
for each run, so the parts are made once. Threads are kept where MEDVISTA_THREADS says, as everywhere. The file names
one graph, for it must; the server is told of all when it imports our routes (`serve_catalogue`).
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from graphs.app import catalogue
from graphs.app.application import Application, LazyPolicy, Settings
from graphs.app.threads import open_threads

SERVED = "LANGSERVE_GRAPHS"
"""Holds the graphs of langgraph.json as JSON; the server reads this variable after it has imported `http.app`."""


@cache
def application() -> Application:
    """The parts that all graphs share, as the environment names them."""
    settings = Settings.of_environment()
    return Application(settings, LazyPolicy(settings))


@cache
def _built(name: str) -> Any:
    return application().graph(name)


def _factory(name: str) -> Callable[[], Awaitable[Any]]:
    async def make() -> Any:
        return await asyncio.to_thread(_built, name)

    return make


@asynccontextmanager
async def threads() -> AsyncGenerator[BaseCheckpointSaver[Any]]:
    """The server's checkpointer."""
    async with open_threads(Settings.of_environment().threads) as saver:
        yield saver


def serve_catalogue(variables: MutableMapping[str, str] = os.environ) -> None:
    """Adds every graph of the catalogue to those that the server is to load; what langgraph.json names stays."""
    ours = {name: f"{__name__}:{name}" for name in catalogue.graphs()}
    variables[SERVED] = json.dumps(ours | json.loads(variables.get(SERVED) or "{}"))


globals().update({name: _factory(name) for name in catalogue.graphs()})
