"""The scheduler of our servers: while the engine is paused it still samples a swap's probe, and nothing else.

vLLM 0.29 pauses for everybody: new weights could be tried on a request only after `/resume`, in one batch with all that
waited. Weights that compute NaN would have answered those too. Here the pause is the probe's alone: requests that run,
were preempted, or wait are laid aside for the step, and whoever swaps resumes once the probe has answered.

A factory (`--scheduler-cls`), because vLLM has two schedulers, and its configuration says which one fits the engine.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

from vllm.config import VllmConfig
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.interface import PauseState
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.core.sched.request_queue import RequestQueue, create_request_queue
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.request import Request

PROBE_PRIORITY = -2
"""What `agent.serving.swap` gives to its probe; it cannot be imported here."""


def scheduler(vllm_config: VllmConfig, **arguments: Any) -> Scheduler:
    """The scheduler that vLLM would have chosen, made one that probes."""
    kind = AsyncProbing if vllm_config.scheduler_config.async_scheduling else Probing
    return kind(vllm_config=vllm_config, **arguments)


class Probing(Scheduler):
    """Schedules probes alone while the engine is paused."""

    def get_num_unfinished_requests(self) -> int:
        """As vLLM counts; probes wake the engine while it is paused."""
        counted = super().get_num_unfinished_requests()
        if self.pause_state == PauseState.UNPAUSED:
            return counted
        uncounted = [*self.waiting, *self.skipped_waiting]
        if self.pause_state == PauseState.PAUSED_ALL:
            uncounted += self.running
        return counted + len(_probes(uncounted))

    def schedule(self, throttle_prefills: bool = False) -> SchedulerOutput:
        """As vLLM schedules; while it is paused, probes alone, if there are any."""
        if self.pause_state == PauseState.UNPAUSED:
            return super().schedule(throttle_prefills)
        if not _probes([*self.waiting, *self.skipped_waiting, *self.running]):
            return super().schedule(throttle_prefills)
        with self._probes_alone():
            return super().schedule(throttle_prefills)

    @contextmanager
    def _probes_alone(self) -> Generator[None]:
        """Lays everything but probes aside, and lifts the pause."""
        waiting, skipped, pause = self.waiting, self.skipped_waiting, self._pause_state
        others = [request for request in self.running if request.priority != PROBE_PRIORITY]
        self.running = _probes(self.running)
        self.waiting, self.skipped_waiting = self._take_probes(waiting), self._take_probes(skipped)
        self._pause_state = PauseState.UNPAUSED
        try:
            yield
        finally:
            self._pause_state = pause
            self.running = [*others, *self.running]
            waiting.prepend_requests(self.waiting)
            skipped.prepend_requests(self.skipped_waiting)
            self.waiting, self.skipped_waiting = waiting, skipped

    def _take_probes(self, queue: RequestQueue) -> RequestQueue:
        taken = create_request_queue(self.policy)
        for probe in _probes([*queue]):
            queue.remove_request(probe)
            taken.add_request(probe)
        return taken


class AsyncProbing(Probing, AsyncScheduler):
    """The same for engines that schedule a step ahead."""


def _probes(requests: Iterable[Request]) -> list[Request]:
    return [request for request in requests if request.priority == PROBE_PRIORITY]
