"""Tokens per second of full agent rollouts, over raw vLLM on the same prompts: how much of vLLM the agent leaves idle.

A rollout is all that training does for an episode: the compiled graph, tools, image store, record, reward, trajectory
check and trajectory file. Every request that it sends is recorded (ids, pictures, sampled length). The raw side then
sends the very same requests in the same order, as many at a time, from bodies that were encoded before the clock
starts, each made to sample exactly as many tokens. The server is the same one, and its caches are emptied before each
pass.

Passes alternate, raw first and last, so each agent pass stands between two raw ones and a machine that gets slower or
faster meanwhile favours neither. Two ratios come out: over the whole pass, and over the part in which every slot was
busy (an episode's turns wait for each other, so the last episodes of any finite pass leave slots empty).

All this is measured twice. On shared cores the agent's own work is taken from vLLM's. Apart, the server has one core,
for both sides, and the agent another, as on a machine whose GPU does vLLM's work: what is left is what the agent makes
vLLM wait.
"""

import argparse
import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from PIL.Image import Image
from tqdm import tqdm

from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.chat.record.ledger import Ledger
from agent.policies.image_urls import encode
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.sampling_params import sampling_params
from agent.policies.served import ServedPolicy
from agent.serving import engine_control
from agent.serving.key import authorization
from agent.serving.server import VLLMServer
from benchmarks import agent_parts, finding
from graphs.app.default_checkpoint import default_folder, open_checkpoint
from rl.config import Config, load_config
from rl.evaluation.statistics import Estimate, bootstrap_mean
from rl.rollout.run_parts import episodes, open_parts, sampling_of
from rl.tasks.task import Task
from rl.trajectories.check import training_row
from rl.trajectories.store import TrajectoryStore
from tools.images.store import ImageStore

ENDPOINT = "/inference/v1/generate"
TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Request:
    """One request to the server, with times in seconds since the pass began."""

    token_ids: Sequence[int]
    images: Sequence[Image]
    sampling: Sampling
    sampled: int
    started: float
    finished: float
    opens: bool
    """Whether it is the first of its episode; on the raw side every request stands alone."""


@dataclass(frozen=True)
class Pass:
    """One timed pass over all episodes, or over all their requests."""

    seconds: float
    requests: Sequence[Request]

    @property
    def rate(self) -> float:
        """Sampled tokens per second, over the whole pass."""
        return sum(request.sampled for request in self.requests) / self.seconds

    @property
    def busy_rate(self) -> float:
        """The same up to the moment when nothing was left to start; tokens under way count by the share of time."""
        until = max(request.started for request in self.requests if request.opens)
        shares = (
            request.sampled * min(1.0, (until - request.started) / (request.finished - request.started))
            for request in self.requests
            if request.started < until
        )
        return sum(shares) / until


class Recorder:
    """A policy for one episode that notes what passes through it."""

    def __init__(self, policy: Policy, began: float, into: list[Request]) -> None:
        self._policy, self._began, self._into = policy, began, into
        self._opens = True

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The policy's completion."""
        started, opens = time.perf_counter(), self._opens
        self._opens = False
        completion = await self._policy.generate(token_ids, images, sampling)
        times = (started - self._began, time.perf_counter() - self._began)
        self._into.append(Request(token_ids, images, sampling, len(completion.token_ids), *times, opens))
        return completion


async def agent_pass(
    server: VLLMServer, config: Config, family: Family, tasks: Sequence[Task], images: Path, concurrency: int
) -> Pass:
    """All episodes, as a training run samples them; nothing is remembered from an earlier pass."""
    with tempfile.TemporaryDirectory() as work:
        shutil.copytree(images, Path(work) / "images")
        parts = open_parts(config, family, ImageStore(Path(work) / "images"))
        kept = TrajectoryStore(Path(work) / "trajectories")
        sampling = sampling_of(config)
        recorded: list[Request] = []
        async with ServedPolicy(server.base_url, server.versions) as policy:
            began = time.perf_counter()

            def recorder(_: Task) -> Policy:
                return Recorder(policy, began, recorded)

            async for trajectory in episodes(parts, tasks, recorder, "benchmark", concurrency, sampling):
                for row in trajectory.rows:
                    training_row(Ledger.from_plain(row), family, parts.store)
                kept.add(trajectory)
            seconds = time.perf_counter() - began
    return Pass(seconds, sorted(recorded, key=lambda request: request.started))


def body(request: Request, model: str) -> bytes:
    """The recorded request as raw HTTP, made to sample as many tokens as it did."""
    exactly = {"max_tokens": request.sampled, "min_tokens": request.sampled, "ignore_eos": True}
    sampling = sampling_params(request.sampling) | exactly
    content: dict[str, Any] = {"model": model, "token_ids": list(request.token_ids), "sampling_params": sampling}
    if request.images:
        content["content_parts"] = [{"type": "image_url", "url": encode(image, "BMP")} for image in request.images]
    return json.dumps(content).encode()


async def raw_pass(server: VLLMServer, recorded: Sequence[Request], concurrency: int) -> Pass:
    """The recorded requests, and nothing else. Raises RuntimeError for an answer of another length."""
    waiting = iter([(request, body(request, server.options.model_name)) for request in recorded])
    answered: list[tuple[Request, httpx.Response]] = []

    async def worker(client: httpx.AsyncClient, began: float) -> None:
        for request, content in waiting:
            started = time.perf_counter() - began
            response = await client.post(ENDPOINT, content=content, headers={"content-type": "application/json"})
            finished = time.perf_counter() - began
            again = Request(
                request.token_ids, request.images, request.sampling, request.sampled, started, finished, True
            )
            answered.append((again, response))

    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with open_raw(server, limits) as client:
        began = time.perf_counter()
        await asyncio.gather(*(worker(client, began) for _ in range(concurrency)))
        seconds = time.perf_counter() - began
    for request, response in answered:
        got = len(response.raise_for_status().json()["choices"][0]["token_ids"])
        if got != request.sampled:
            raise RuntimeError(
                f"got {got} tokens from the raw request, expected {request.sampled} as the agent sampled"
            )
    return Pass(seconds, [request for request, _ in answered])


def open_raw(server: VLLMServer, limits: httpx.Limits) -> httpx.AsyncClient:
    """A plain client of the server, with its key."""
    return httpx.AsyncClient(
        base_url=server.base_url,
        headers=authorization(server.base_url),
        timeout=TIMEOUT_S,
        limits=limits,
        trust_env=False,
        verify=False,
    )


async def empty_caches(server: VLLMServer) -> None:
    """Forget all prefixes, encoded images and processed images. Nothing may be running."""
    async with open_raw(server, httpx.Limits()) as client:
        await engine_control.pause(client, "wait")
        await engine_control.forget_old_weights(client)
        (await client.post("/reset_mm_cache")).raise_for_status()
        await engine_control.resume(client)


async def measure(
    server: VLLMServer, config: Config, tasks: Sequence[Task], images: Path, rounds: int, concurrency: int
) -> tuple[list[Pass], list[Pass]]:
    """(agent passes, raw passes): a first agent pass to record and to warm up, then raw, agent, raw, ... raw."""
    family = family_in(server.checkpoint.folder)
    with tqdm(total=2 * rounds + 2, desc="passes", unit="pass") as bar:
        recorded = (await agent_pass(server, config, family, tasks, images, concurrency)).requests
        bar.update()
        agents: list[Pass] = []
        await empty_caches(server)
        raws = [await raw_pass(server, recorded, concurrency)]
        bar.update()
        for _ in range(rounds):
            await empty_caches(server)
            agents.append(await agent_pass(server, config, family, tasks, images, concurrency))
            bar.update()
            await empty_caches(server)
            raws.append(await raw_pass(server, agents[-1].requests, concurrency))
            bar.update()
    return agents, raws


def ratios(agents: Sequence[float], raws: Sequence[float]) -> list[float]:
    """Each agent pass over the mean of the raw passes before and after it."""
    return [2 * agent / (before + after) for agent, before, after in zip(agents, raws[:-1], raws[1:], strict=True)]


def report(agents: Sequence[Pass], raws: Sequence[Pass]) -> dict[str, Any]:
    """Prints the table; the figures as plain data."""
    whole = ratios([each.rate for each in agents], [each.rate for each in raws])
    busy = ratios([each.busy_rate for each in agents], [each.busy_rate for each in raws])
    columns = ("round", "agent tok/s", "raw tok/s", "ratio", "ratio, slots busy")
    rows = [
        (number, agent.rate, (raws[number - 1].rate + raws[number].rate) / 2, whole[number - 1], busy[number - 1])
        for number, agent in enumerate(agents, start=1)
    ]
    print(finding.table(columns, rows))
    print(f"agent over raw, whole passes: {_told(bootstrap_mean(whole))}")
    print(f"agent over raw, while every slot is busy: {_told(bootstrap_mean(busy))}")
    return {
        "ratio": _plain(bootstrap_mean(whole)),
        "ratio_slots_busy": _plain(bootstrap_mean(busy)),
        "agent_tokens_per_second": [each.rate for each in agents],
        "raw_tokens_per_second": [each.rate for each in raws],
        "sampled_tokens": [sum(request.sampled for request in each.requests) for each in agents],
        "requests": [len(each.requests) for each in agents],
    }


@contextmanager
def placed(apart: bool) -> Generator[set[int]]:
    """While the server starts: `apart`, on the first core alone; afterwards this process leaves that core to it.

    Yields the server's cores. A process inherits the cores of the thread that starts it.
    """
    cores = os.sched_getaffinity(0)
    server = {min(cores)} if apart else cores
    os.sched_setaffinity(0, server)
    try:
        yield server
    finally:
        os.sched_setaffinity(0, cores)


def _plain(estimate: Estimate) -> dict[str, Any]:
    return {"mean": estimate.mean, "ci95": estimate.ci95, "rounds": estimate.n}


def _told(estimate: Estimate) -> str:
    return f"{estimate.mean:.3f} (95 % bootstrap over rounds: {estimate.low:.3f} to {estimate.high:.3f})"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollout_throughput", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="default: the version published last")
    parser.add_argument("--episodes", type=int, default=192, help="in each pass (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="timed agent passes (default: %(default)s)")
    agent_parts.add_arguments(parser)
    asked = parser.parse_args()
    config = load_config(asked.config)
    checkpoint = open_checkpoint(asked.checkpoint or default_folder())
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as work:
        images = Path(work)
        tasks = agent_parts.draw_tasks(images, asked.episodes)
        options = agent_parts.server_options(config, asked.concurrency)
        for name, apart in (("shared", False), ("apart", True)):
            cores = os.sched_getaffinity(0)
            if apart and len(cores) < 2:
                print("One core only: nothing can be measured apart.")
                continue
            with placed(apart) as servers:
                threads = {"OMP_NUM_THREADS": str(len(servers))}
                with VLLMServer(checkpoint, replace(options, environment=threads), log=agent_parts.LOG) as server:
                    os.sched_setaffinity(0, cores - servers or cores)
                    print(f"\nserver and agent on {'cores of their own' if apart else 'the same cores'}")
                    measured = measure(server, config, tasks, images, asked.rounds, asked.concurrency)
                    found[name] = report(*asyncio.run(measured))
    about = {"checkpoint": checkpoint.version, "episodes": asked.episodes, "concurrency": asked.concurrency}
    print(finding.write("rollout_throughput", {**about, **found}, asked.out))


if __name__ == "__main__":
    main()
