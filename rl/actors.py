"""Episodes on many cores or machines: Ray actors, each with the graph open and a policy of its own.

`Actors.ask` is what rl/schedule.py asks by, so one machine and many differ in this object alone. An actor that dies is
started again by Ray, and the episode that it had goes to another; nothing that was finished is repeated. Without an
address a Ray of our own runs on loopback, with files of its own, and ends with us.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from agent.policies.policy import Policy, PolicyError, Sampling
from rl.config import ROOT
from rl.rollout import RunParts
from rl.schedule import Job
from rl.trajectories.record import Trajectory

OBJECT_STORE_BYTES = 256 * 2**20
TRIES = 3
"""Actors that an episode is given to before it is lost."""


class Player:
    """What runs in an actor: one open graph and its policy, for many episodes at once."""

    def __init__(
        self,
        open_parts: Callable[[], RunParts],
        make_policy: Callable[[RunParts], Policy],
        stage: str,
        sampling: Sampling | None,
    ) -> None:
        self.parts = open_parts()
        self.policy = make_policy(self.parts)
        self.stage, self.sampling = stage, sampling

    async def play(self, job: Job) -> Trajectory:
        """One scored episode. Raises what RunParts.play raises."""
        return await self.parts.play(job, self.policy, self.stage, self.sampling)


class Actors:
    """A context manager: its actors live as long as it lasts."""

    def __init__(
        self,
        open_parts: Callable[[], RunParts],
        make_policy: Callable[[RunParts], Policy],
        count: int,
        stage: str,
        sampling: Sampling | None = None,
        address: str | None = None,
        concurrency: int = 64,
    ) -> None:
        """`open_parts` and `make_policy` are called in each of the `count` actors, so their modules must be importable
        there. `address`: a Ray cluster to join ("auto", "ray://..."); None: one of our own on this machine.
        `concurrency`: episodes of one actor at once, at most.
        """
        self._made_by = (open_parts, make_policy, stage, sampling)
        self._count, self._address, self._concurrency = count, address, concurrency
        self._actors: list[Any] = []
        self._busy: Counter[int] = Counter()
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        import ray

        library: Any = ray
        if self._address is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="mv-")  # short: Ray's sockets live under it
            library.init(
                address="local",
                num_cpus=self._count,
                num_gpus=0,
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                runtime_env=_environment(),
                _node_ip_address="127.0.0.1",  # nothing listens beyond this machine
                _temp_dir=self._temporary.name,
            )
        else:
            library.init(address=self._address, log_to_driver=False, runtime_env=_environment())
        made = library.remote(num_cpus=1, max_restarts=-1, max_concurrency=self._concurrency)(Player)
        self._actors = [made.remote(*self._made_by) for _ in range(self._count)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        self._actors = []
        cast(Any, ray).shutdown()
        if self._temporary is not None:
            with suppress(OSError):  # Ray's last process may still write there
                self._temporary.cleanup()

    @property
    def folder(self) -> Path | None:
        """Where a Ray of our own keeps its files; None where we joined another."""
        return None if self._temporary is None else Path(self._temporary.name)

    async def ask(self, job: Job) -> Trajectory:
        """One episode, by the actor that has the fewest. Raises PolicyError where its policy is lost, or actors keep
        dying under it.
        """
        from ray import exceptions

        died: Any = cast(Any, exceptions).RayActorError
        reason = ""
        for _ in range(TRIES):
            place = min(range(len(self._actors)), key=lambda each: self._busy[each])
            self._busy[place] += 1
            try:
                return await self._actors[place].play.remote(job)
            except died as error:
                reason = f"{type(error).__name__}: {error}"
            finally:
                self._busy[place] -= 1
        raise PolicyError(f"got {TRIES} actors that died over {job.task.id} ({reason}), expected one to finish it")


def _environment() -> dict[str, Any]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"env_vars": {"PYTHONPATH": os.pathsep.join(paths), "RAY_USAGE_STATS_ENABLED": "0"}}
