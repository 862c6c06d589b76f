"""Episodes on many cores or machines: Ray actors, each with the graph open and a policy of its own.

`Actors.ask` is what rl/rollout/schedule.py asks by, so one machine and many differ in this object alone. An actor that
dies is started again by Ray, and the episodes that it had begin anew there; nothing that was finished is repeated.
Without an address a Ray of our own runs (rl/processes/ray_cluster.py), which nobody else reaches, and ends with us.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from agent.policies.policy import Policy, PolicyError, Sampling
from agent.serving import leftovers
from rl.config import ROOT
from rl.processes.ray_cluster import own_ray
from rl.rollout.run_parts import RunParts
from rl.rollout.schedule import Job
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
        there. `address`: a Ray cluster to join ("auto", "ray://..."), whose ports are open to whomever it was started
        for; None: one of our own on this machine. `concurrency`: episodes of one actor at once, at most.
        """
        self._made_by = (open_parts, make_policy, stage, sampling)
        self._count, self._address, self._concurrency = count, address, concurrency
        self._actors: list[Any] = []
        self._busy: Counter[int] = Counter()
        self._ray = ExitStack()
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        try:
            library = self._joined() if self._address is not None else self._started()
            made = library.remote(
                num_cpus=1, max_restarts=-1, max_task_retries=TRIES - 1, max_concurrency=self._concurrency
            )(Player)
            self._actors = [made.remote(*self._made_by) for _ in range(self._count)]
            library.get([each.is_open.remote() for each in self._actors])  # raises what opening raised
        except BaseException:
            self.close()
            raise
        return self

    def _joined(self) -> Any:
        import ray

        library: Any = ray
        self._ray.callback(library.shutdown)
        library.init(address=self._address, log_to_driver=False, runtime_env=_environment())
        return library

    def _started(self) -> Any:
        self._folder = Path(tempfile.mkdtemp(prefix="mv-"))  # short: Ray's sockets live under it
        leftovers.sweep(self._folder.parent)
        self._ray.callback(os.close, leftovers.own(self._folder))
        self._ray.callback(leftovers.clear, self._folder)
        return self._ray.enter_context(
            own_ray(
                self._folder,
                num_cpus=self._count,
                num_gpus=0,
                object_store_memory=OBJECT_STORE_BYTES,
                log_to_driver=False,
                runtime_env=_environment(),
            )
        )

    def close(self) -> None:
        """Ends the actors, and a Ray of our own."""
        self._actors = []
        self._ray.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path | None:
        """Where a Ray of our own keeps its files; None where we joined another."""
        return self._folder

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


def _environment() -> dict[str, Any]:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}}
