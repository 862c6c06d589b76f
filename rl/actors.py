"""Episodes on many cores or machines: Ray actors, each with the graph open and a policy of its own.

`Actors.ask` is what rl/schedule.py asks by, so one machine and many differ in this object alone. An actor that dies is
started again by Ray, and the episodes that it had begin anew there; nothing that was finished is repeated. Without an
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
"""Lives of an actor that may end over an episode before it is lost."""


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

    def is_open(self) -> bool:
        """True, once the graph and the policy are."""
        return True

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
        try:
            self._start(library)
            made = library.remote(
                num_cpus=1, max_restarts=-1, max_task_retries=TRIES - 1, max_concurrency=self._concurrency
            )(Player)
            self._actors = [made.remote(*self._made_by) for _ in range(self._count)]
            library.get([each.is_open.remote() for each in self._actors])  # raises what opening raised
        except BaseException:
            self.close()
            raise
        return self

    def _start(self, library: Any) -> None:
        if self._address is not None:
            library.init(address=self._address, log_to_driver=False, runtime_env=_environment())
            return
        _stay_on_loopback()
        self._temporary = tempfile.TemporaryDirectory(prefix="mv-")  # short: Ray's sockets live under it
        library.init(
            address="local",
            num_cpus=self._count,
            num_gpus=0,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env=_environment(),
            _node_ip_address="127.0.0.1",
            _temp_dir=self._temporary.name,
        )

    def close(self) -> None:
        """Ends the actors, and a Ray of our own."""
        import ray

        self._actors = []
        cast(Any, ray).shutdown()
        if self._temporary is not None:
            with suppress(OSError):  # Ray's last process may still write there
                self._temporary.cleanup()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path | None:
        """Where a Ray of our own keeps its files; None where we joined another."""
        return None if self._temporary is None else Path(self._temporary.name)

    async def ask(self, job: Job) -> Trajectory:
        """One episode, by the actor that has the fewest. Raises PolicyError where its policy is lost or its actor dies
        over it again and again.
        """
        from ray import exceptions

        died: Any = cast(Any, exceptions).RayActorError
        place = min(range(len(self._actors)), key=lambda each: self._busy[each])
        self._busy[place] += 1
        try:
            return await self._actors[place].play.remote(job)
        except died as error:
            raise PolicyError(
                f"got {TRIES} actors that died over {job.task.id} ({error}), expected one to finish it; see Ray's logs"
            ) from error
        finally:
            self._busy[place] -= 1


def _stay_on_loopback() -> None:
    """Makes a Ray that is started next listen on loopback alone.

    Ray 2.55 takes `_node_ip_address="127.0.0.1"` for the machine's outer address, unless it believes that it cannot
    make clusters, as on a Mac; all its processes then bind to loopback.
    """
    from ray._private import ray_constants

    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # for the processes that Ray starts
    cast(Any, ray_constants).ENABLE_RAY_CLUSTER = False


def _environment() -> dict[str, Any]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"env_vars": {"PYTHONPATH": os.pathsep.join(paths), "RAY_USAGE_STATS_ENABLED": "0"}}
