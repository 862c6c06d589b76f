"""Tools that can hang or crash run in processes of their own, which can be ended.

Each is a fresh interpreter (as multiprocessing's `spawn` makes one), kept warm. A segmentation fault, `os._exit`, an
endless loop in C or memory above the limit fails its own call; the process is ended with all that it started, and the
next call gets a new one. Images are read from the store there and written to it there, so only words and numbers come
back, as JSON that is validated here, and what the process wrote is verified by its hash before it is believed.

What a tool prints goes to this program's standard error. Whatever else it writes into, it cannot disturb its answer
(`tools/run/channel.py`); a process in which something wrote into the channel is not used again.

Nothing is left behind: a process dies with the pipe to its parent (`tools/run/process_worker.py`), even if the parent
is killed. This guards against tools that fail, not against tools that attack: these can still read files.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from functools import partial

from pydantic import TypeAdapter

from tools.calls import ToolCall
from tools.errors import ToolFailed
from tools.evidence import Evidence, Measurement, Region
from tools.images.limits import Limits
from tools.images.store import ImageStore
from tools.run.channel import channel, new_token
from tools.run.pool import WorkerPool
from tools.run.remote_call import Outcome, Reference, refer
from tools.run.threads import in_thread
from tools.run.wrapper import Invocation

READY_S = 180.0
"""Seconds that a process may take to start, and to load and warm up a tool."""
MOST_BYTES = 64 * 2**20
"""Of one answer: text, regions and measurements."""
LEAVING_S = 5.0
"""Seconds that a process which has closed its channel may take to end by itself."""


@dataclass(frozen=True)
class Request:
    """A call, sent to a process. With no `call`, the tool is only loaded and warmed up."""

    tool: Reference
    call: ToolCall | None = None
    image_ids: tuple[str, ...] = ()
    store: ImageStore | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Answer:
    """What a process found; its images are in the store."""

    text: str
    image_ids: tuple[str, ...]
    regions: tuple[Region, ...]
    measurements: tuple[Measurement, ...]


OUTCOME = TypeAdapter(Outcome[Answer | None])
"""What comes back of a request, to JSON and from it."""


def isolated(
    processes: int = 2, memory_bytes: int | None = 8 * 2**30, ready_s: float = READY_S
) -> WorkerPool["Process"]:
    """A wrapper that runs tools in at most `processes` processes of at most `memory_bytes` address space each.

    None is no limit: a tool that uses a GPU reserves far more addresses than it needs memory.
    The tool must be importable there: defined at the top of a module that is not the script itself.
    """
    return WorkerPool(partial(Process, memory_bytes, ready_s), processes)


class Process:
    """One process that answers one call at a time."""

    def __init__(self, memory_bytes: int | None, ready_s: float) -> None:
        self._ready_s = ready_s
        self.loaded: set[Reference] = set()
        self._killing = threading.Lock()
        self._killed = False
        self._channel, far_end = channel()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tools.run.process_worker", str(far_end.fileno()), str(memory_bytes or -1)],
                stdin=subprocess.PIPE,  # never written to: it closes when this process ends
                stdout=2,  # what a tool prints must not get into what this program says
                pass_fds=(far_end.fileno(),),
                start_new_session=True,  # a process group of its own, to be ended as a whole
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            )
        finally:
            far_end.close()

    @property
    def pid(self) -> int:
        """Its process id, also that of its process group."""
        return self._process.pid

    @property
    def lost(self) -> bool:
        return self._killed or not self._channel.is_quiet()  # between calls nothing is said

    def load(self, tool: Reference) -> None:
        self._ask(Request(tool), tool.name, self._ready_s).open()
        self.loaded.add(tool)

    async def run(self, call: Invocation) -> Evidence:
        try:
            return await in_thread(partial(self._evidence, call))
        except asyncio.CancelledError:
            self._kill()  # the thread sees the channel end, and ends what is left
            raise

    def end(self) -> None:
        self._kill()
        self._process.wait()
        for end in (self._process.stdin, self._channel):
            if end is not None:
                end.close()

    def _kill(self) -> None:
        with self._killing:
            if not self._killed:
                self._killed = True
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)  # not waited for yet, so the id is still its own
                self._channel.hang_up()  # something that it started may live on and hold the other end

    def _evidence(self, call: Invocation) -> Evidence:
        store = ImageStore(call.store.folder.absolute(), call.store.memory_bytes)
        request = Request(refer(call.tool), call.call, tuple(call.image_ids), store, call.limits)
        answer = self._ask(request, call.tool.name).open()
        if answer is None:
            self.end()
            raise ToolFailed(f"{call.tool.name} answered with nothing, expected evidence.")
        images = tuple(call.store.get(each) for each in answer.image_ids)
        return Evidence(answer.text, images, answer.regions, answer.measurements)

    def _ask(self, request: Request, name: str, seconds: float | None = None) -> Outcome[Answer | None]:
        token = new_token()
        try:
            self._channel.send(token, pickle.dumps(request))
            _, said = self._channel.receive(token, MOST_BYTES, seconds)
            outcome = OUTCOME.validate_json(said)
        except TimeoutError:
            self.end()
            raise ToolFailed(f"{name} was not ready after {seconds:g} s.") from None
        except (EOFError, OSError) as error:
            raise ToolFailed(f"{name} {self._end_of_its_own()}; the next call gets a new one.") from error
        except ValueError as error:
            self.end()
            raise ToolFailed(f"{name} answered with what cannot be read.") from error
        if outcome.spoilt or self._channel.strays:
            self.end()
        return outcome

    def _end_of_its_own(self) -> str:
        """How the process ended, for which it is given some time: it may still be on its way out."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(LEAVING_S)
            self.end()
            how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            return f"ended its process ({how})"
        self.end()
        return "closed the channel to its process"
