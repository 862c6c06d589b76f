"""The process in which an isolated tool runs: `python -m tools.run.process_worker FD MEMORY_BYTES`, for process.py.

It answers requests from a channel until that closes. Its standard input is a pipe on which nothing ever comes:
when the parent ends, however it does, that pipe closes, and the kernel kills this process and all that it started. No
code of ours has to run for that, so it also ends a loop in C that would never let Python run again.
"""

import faulthandler
import fcntl
import os
import pickle
import resource
import signal
import sys

from langchain_core.tools import BaseTool

from tools.calls import ToolCall
from tools.images.store import ImageStore, StoredImages
from tools.run.channel import Channel
from tools.run.execution import keep
from tools.run.process import OUTCOME, Answer, Request
from tools.run.remote_call import Outcome, Reference, attempt, found_by, loaded


def die_with_parent() -> None:
    """Has the kernel kill this process group when the other end of standard input closes."""
    fcntl.fcntl(0, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(0, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def serve(channel: Channel) -> None:
    """Answers requests until the channel closes."""
    tools: dict[Reference, BaseTool] = {}
    stores: dict[str, ImageStore] = {}

    def answer(request: Request) -> Answer | None:
        if request.call is None or request.store is None:
            tools[request.tool] = loaded(request.tool)
            return None
        folder = str(request.store.folder)
        if folder not in stores:  # the store of the last call has the images that were used last in memory
            stores.clear()
        store = stores.setdefault(folder, request.store)
        return answered(tools[request.tool], request.call, request, store)

    while True:
        try:
            token, asked = channel.receive(None)
        except EOFError:
            return
        request: Request = pickle.loads(asked)
        outcome: Outcome[Answer | None] = attempt(lambda request=request: answer(request))
        channel.send(token, OUTCOME.dump_json(outcome))


def answered(tool: BaseTool, call: ToolCall, request: Request, store: ImageStore) -> Answer:
    """What `tool` finds, its images kept in `store`. Raises what it raises."""
    found = keep(found_by(tool, call, StoredImages(request.image_ids, store)), tool, store, request.limits)
    return Answer(
        found.text, tuple(image.id for image in found.images), tuple(found.regions), tuple(found.measurements)
    )


if __name__ == "__main__":
    die_with_parent()
    faulthandler.enable()
    memory_bytes = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    serve(Channel.inherited(int(sys.argv[1])))
