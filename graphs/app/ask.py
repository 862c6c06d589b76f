"""One question about one or several images, put to a graph: `python -m graphs ask`.

Everything that a person may have got wrong (a file, a folder, a tool's name) is found before a server is started.
Without --checkpoint, what runs is asked; with --model any other chat model, and no server of ours is looked for. What
is waited for is told on stderr, so that --json prints JSON alone.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from agent.answer import Answer
from agent.chat.base import ImageChatModel
from agent.chat.loading import family_in
from agent.chat.provider.model import with_images
from agent.chat.provider.names import chat_model_named
from agent.limits import Limits
from agent.question import Question
from graphs.app import catalogue
from graphs.app.chat_model import FOR_ANY_MODEL, TAUGHT, chat_model
from graphs.app.connection import connect, disconnect
from graphs.app.default_checkpoint import RUNS
from graphs.app.transcript import NOTICE, as_json, describe_answer, describe_update, printable
from tools.errors import ImageError
from tools.images.load import load_image
from tools.images.store import ImageStore
from tools.registry import load_tools

Stream = Callable[..., AsyncIterator[tuple[tuple[str, ...], str, dict[str, Any]]]]
IMAGES = RUNS / "ask" / "images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE",
        help="PNG, JPEG, TIFF, BMP, WebP, DICOM (or a folder of slices), NIfTI",
    )
    parser.add_argument("--question", help="what to ask about the images")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FOLDER", help="default: what runs, else the version published last"
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="another chat model in the policy's place: openai:NAME, http://HOST:PORT/v1[#NAME]",
    )
    parser.add_argument("--graph", choices=list(catalogue.graphs()), default="reasoning", help="default: %(default)s")
    parser.add_argument("--tools", help=f"names or families (default: {TAUGHT}; with --model {FOR_ANY_MODEL})")
    parser.add_argument("--no-tools", dest="tools", action="store_const", const="", help="let the policy only look")
    parser.add_argument("--spacing", nargs=2, type=float, metavar=("ROW", "COL"), help="mm from pixel to pixel")
    parser.add_argument("--server", metavar="URL", help="a vLLM server that runs already and holds the checkpoint")
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for all images (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=Limits.turns, help="most turns (default: %(default)s)")
    parser.add_argument("--context", type=int, default=Limits.context, help="most ids (default: %(default)s)")
    parser.add_argument("--stop-server", action="store_true", help="stop the server afterwards, or at once")
    parser.add_argument("--json", action="store_true", help="print the finished episode as one JSON object")


def run(arguments: argparse.Namespace, refuse: Callable[[str], Any]) -> int:
    """Runs the command; 0 for an answer or an abstention, 1 where the episode ended without. `refuse` ends the program.

    Raises what connecting, loading and asking raise.
    """
    if not arguments.images and arguments.stop_server:
        stopped = disconnect()
        print(f"Stopped the server at {stopped.base_url}." if stopped else "No server was running.")
        return 0
    if not arguments.images or not arguments.question:
        refuse("an IMAGE and --question are needed")
    if arguments.model and (arguments.checkpoint or arguments.server or arguments.stop_server):
        refuse("--model takes the place of our policy: leave out --checkpoint, --server and --stop-server")
    named = (FOR_ANY_MODEL if arguments.model else TAUGHT) if arguments.tools is None else arguments.tools
    try:
        tools = load_tools([name for name in named.split(",") if name])
    except ValueError as error:
        refuse(str(error))
        raise
    store = ImageStore(arguments.out)
    question = Question(images=load_images(arguments.images, arguments.spacing, store), question=arguments.question)
    say = _silent if arguments.json else _print
    say(NOTICE)
    try:
        model = _any_model(arguments.model, store, say) if arguments.model else _our_policy(arguments, store, say)
        graph = catalogue.graphs()[arguments.graph].compiled(model, tools, turns=arguments.turns)
        state = asyncio.run(follow(graph, question, store, say))
    finally:
        if arguments.stop_server:
            disconnect()
    print(json.dumps(as_json(state, store), indent=2) if arguments.json else f"\n{describe_answer(state, store)}")
    return 0 if state["outcome"] in ("answered", "abstained") else 1


def _our_policy(arguments: argparse.Namespace, store: ImageStore, say: Callable[[str], None]) -> ImageChatModel:
    connection = connect(arguments.checkpoint, arguments.server, arguments.context, _say_waiting)
    say(f"Policy: {connection.policy.versions.history()[-1]} ({connection.folder}) at {connection.policy.base_url}")
    return chat_model(connection.policy, family_in(connection.folder), store, Limits(context=arguments.context))


def _any_model(name: str, store: ImageStore, say: Callable[[str], None]) -> ImageChatModel:
    model = with_images(chat_model_named(name), store)
    say(f"Model: {name}")
    return model


def load_images(paths: Sequence[Path], spacing: Sequence[float] | None, store: ImageStore) -> list[str]:
    """Puts the images of `paths` into the store and returns their ids. Raises ImageError that names the file."""
    millimetres = (spacing[0], spacing[1]) if spacing else None
    ids: list[str] = []
    for path in paths:
        try:
            ids.append(store.put(load_image(path, spacing=millimetres)))
        except ImageError as error:
            raise ImageError(f"{printable(str(path))}: {error}") from error
    return ids


async def follow(graph: Any, question: Question, store: ImageStore, say: Callable[[str], None]) -> Answer:
    """Runs an episode and says each turn as it happens; the final state.

    Raises PolicyError where the policy is lost.
    """
    state: dict[str, Any] = {}
    stream = cast(Stream, graph.astream)
    async for inside, mode, item in stream(question, stream_mode=["updates", "values"], subgraphs=True):
        if mode == "values":
            state |= {} if inside else item
            continue
        for node, change in item.items():
            if (
                isinstance(change, dict)
                and (told := describe_update(node, cast("dict[str, Any]", change), store)) is not None
            ):
                say(told)
    return cast(Answer, {**question, **state})


def _say_waiting(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print(text: str) -> None:
    print(text, flush=True)


def _silent(text: str) -> None:
    del text
