"""One vLLM server for all cells that need one: it holds the embedded base, published under two versions."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import Checkpoint, publish
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from agent.serving.swap import hot_swap
from graphs.app.default_checkpoint import embedded

CHECKPOINT = embedded()
CONTEXT = 4096


@dataclass(frozen=True)
class Server:
    """A running server."""

    running: VLLMServer
    versions: tuple[Checkpoint, Checkpoint]

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> Generator["Server"]:
        """Starts one with its logs in a folder, and stops it."""
        first, second = (publish(CHECKPOINT, folder / "versions", name, None, {}) for name in ("one", "two"))
        options = ServerOptions(max_model_len=CONTEXT, max_num_seqs=16)
        with VLLMServer(first, options, log=folder / "vllm.log", progress=False) as running:
            yield cls(running, (first, second))

    @property
    def policy(self) -> ServedPolicy:
        """Whatever is live."""
        return ServedPolicy(self.running.base_url, self.running.versions)

    async def swap(self) -> None:
        """Makes the other version live."""
        first, second = self.versions
        await hot_swap(self.running, second if self.running.checkpoint.version == first.version else first)
