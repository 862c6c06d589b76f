"""Rollouts at their own pace over rollouts in lockstep, where tools are slow; and what our own code costs of a step.

Lockstep is what a batch of environments does: all episodes of a wave write a turn, all wait until the last tool has
answered, then all write the next; the next wave begins when the last episode has ended. A wave is as large as the
server's batch, or four times as large. Asynchronous rollouts (rl/rollout/schedule.py) begin the next turn, or the next
episode, as soon as the one before it is done. Both run the reasoning graph on a script; a turn takes `--generation`
seconds in one of as many slots as a server has, a tool 50 to 500 ms by one of three laws. Episodes have `--turns`
turns, of which the last answers.

The share: the processor time that rewards, store and environment take for the episodes of a training step, over the
seconds of a real step (`--run`, or `--step-seconds` and `--episodes-per-step`). The environment is the graph's nodes
(the chat model, tools, the record of tokens), and LangGraph around them: the episode through the graph less the same
nodes called one after the other.
"""

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from langchain_core.tools import tool
from langgraph.runtime import Runtime
from PIL.Image import Image
from tqdm import tqdm

from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.chat.record.episode import Episode
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.scripted import ScriptedPolicy
from agent.protocol import Turn
from agent.question import Question
from benchmarks import agent_parts, finding
from graphs.app.default_checkpoint import embedded
from rl.config import LAPTOP, load_config
from rl.evaluation.statistics import bootstrap_mean
from rl.rewards.compose import score
from rl.rollout.run_parts import RunParts, open_parts
from rl.rollout.schedule import Job, run_jobs
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory, record
from rl.trajectories.store import TrajectoryStore
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.toolbox import Toolbox, ToolCall

LEAST, MOST = 0.05, 0.5
"""Seconds of a tool."""
Law = Callable[[np.random.Generator], float]
LAWS: dict[str, Law] = {
    "uniform": lambda rng: float(rng.uniform(LEAST, MOST)),
    "log-uniform": lambda rng: float(np.exp(rng.uniform(np.log(LEAST), np.log(MOST)))),
    "one in five slow": lambda rng: MOST if rng.uniform() < 0.2 else LEAST,
}
AHEAD = 4
"""Episodes for each slot, where more are under way than can write at once."""
PARTS = ("nodes", "graph", "rewards", "store", "check")
SMALL = ("episode.turns=8", "episode.turn_tokens=96", "episode.context=2048")


class Slots:
    """A policy that takes its time in one of so many slots, as a server's batch does."""

    def __init__(self, policy: Policy, slots: int, seconds: float) -> None:
        self._policy, self._slots, self._seconds = policy, asyncio.Semaphore(slots), seconds

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The policy's completion, `seconds` after a slot was free."""
        async with self._slots:
            await asyncio.sleep(self._seconds)
            return await self._policy.generate(token_ids, images, sampling)


def waiting_tool(law: Law, seed: int) -> Any:
    """A tool that takes its time; for one seed the same times in the order of its calls."""
    rng = np.random.default_rng(seed)

    @tool
    async def wait() -> str:
        """Take a while."""
        await asyncio.sleep(law(rng))
        return "done"

    return wait


def parts_of(family: Family, store: ImageStore, law: Law, seed: int) -> RunParts:
    """The reasoning graph with the tool."""
    return open_parts(load_config(LAPTOP, SMALL), family, store, Toolbox([waiting_tool(law, seed)]))


def script(family: Family, turns: int, slots: int, seconds: float) -> Slots:
    """Calls the tool in every turn but the last."""
    look = Turn("I must look.", calls=(ToolCall(name="wait", arguments={}),))
    written = [*[look] * (turns - 1), Turn("I can see it.", answer="cystic")]
    return Slots(ScriptedPolicy(written, family), slots, seconds)


async def lockstep(parts: RunParts, policy: Policy, questions: Sequence[Question], wave: int) -> float:
    """Seconds of all episodes, `wave` at a time, every node of a wave waiting for all."""
    graph = parts.runner.graph

    def begun(question: Question) -> Any:
        config = {"configurable": {"episode": parts.episode(policy)}}
        return graph.astream(question, config, stream_mode="updates")

    started = time.perf_counter()
    for first in range(0, len(questions), wave):
        episodes = list(map(begun, questions[first : first + wave]))
        while episodes:
            updates = await asyncio.gather(*(anext(each, None) for each in episodes))
            episodes = [each for each, update in zip(episodes, updates, strict=True) if update is not None]
    return time.perf_counter() - started


async def at_their_own_pace(parts: RunParts, policy: Policy, questions: Sequence[Question], at_once: int) -> float:
    """Seconds of all episodes as training samples them, `at_once` at a time."""
    jobs = [
        Job(Task(str(n), "k", each["question"], tuple(each["images"]), "cystic", "exact"))
        for n, each in enumerate(questions)
    ]

    async def ask(job: Job) -> Trajectory:
        return await parts.play(job, policy, "benchmark")

    started = time.perf_counter()
    endings = [each async for each in run_jobs(jobs, ask, at_once, lost=())]
    assert len(endings) == len(questions) and all(cast(Trajectory, each).correct for each in endings)
    return time.perf_counter() - started


async def schedule(family: Family, asked: argparse.Namespace) -> list[dict[str, Any]]:
    """For each law and numbers at once: seconds of both, and their ratio, over the repeats."""
    rows: list[dict[str, Any]] = []
    plan = [(law, *at_once) for law in LAWS for at_once in ((1, 1), (1, AHEAD), (AHEAD, AHEAD))]
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(plan) * asked.repeats, unit="pair") as bar:
        store = ImageStore(folder)
        picture = store.put(MedicalImage(np.zeros((64, 64), np.uint8)))
        questions = [Question(images=[picture], question="What?") for _ in range(asked.episodes)]
        for law, together, ahead in plan:
            pairs: list[tuple[float, float]] = []
            for seed in range(asked.repeats):
                wave, free = [
                    await pace(
                        parts_of(family, store, LAWS[law], seed),
                        script(family, asked.turns, asked.slots, asked.generation),
                        questions,
                        asked.slots * at_once,
                    )
                    for pace, at_once in ((lockstep, together), (at_their_own_pace, ahead))
                ]
                pairs.append((wave, free))
                bar.update()
            ratio = bootstrap_mean([wave / free for wave, free in pairs])
            rows.append(
                {
                    "law": law,
                    "lockstep_at_once": asked.slots * together,
                    "asynchronous_in_flight": asked.slots * ahead,
                    "lockstep_s": float(np.mean([wave for wave, _ in pairs])),
                    "asynchronous_s": float(np.mean([free for _, free in pairs])),
                    "ratio": ratio.mean,
                    "ci95": ratio.ci95,
                }
            )
    return rows


class Timed:
    """A policy whose own processor time is counted, to be taken off."""

    def __init__(self, policy: Policy) -> None:
        self._policy, self.seconds = policy, 0.0

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The policy's completion."""
        started = time.process_time()
        completion = await self._policy.generate(token_ids, images, sampling)
        self.seconds += time.process_time() - started
        return completion


def expert(task: Task, family: Family) -> Timed:
    """Calls what an expert calls, then answers."""
    calls = tuple(ToolCall.model_validate(call) for call in task.expert)
    turns = [Turn("I must look closer.", calls=calls), Turn("I can see it.", answer=task.answer)]
    return Timed(ScriptedPolicy(turns, family))


async def without_graph(graph: Any, question: Question, episode: Episode) -> None:
    """An episode whose turns can all be read, the graph's nodes called one after the other."""
    reason, select_tool, execute, integrate, answer = (node.runnable.afunc for node in graph.builder.nodes.values())
    state: Any = dict(question)
    with episode.recording():
        while True:
            state |= await reason(state, Runtime())
            if (await select_tool(state)).goto != "execute":
                break
            state |= await execute(state, Runtime())
            state |= (await integrate(state)).update
        state |= await answer(state)
    assert state["outcome"] == "answered"


async def share(family: Family, episodes: int) -> dict[str, float]:
    """Processor seconds of one episode that looks and answers, by part; the policy's own taken off."""
    config = load_config(LAPTOP, ["episode.turn_tokens=96", "episode.context=1024"])
    spent = dict.fromkeys(PARTS, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        tasks = agent_parts.draw_tasks(images, 20)
        parts = open_parts(config, family, ImageStore(images))
        kept = TrajectoryStore(Path(folder) / "trajectories", shard=len(tasks))  # sealed once before the clock counts
        for number in tqdm(range(-len(tasks), episodes), unit="episode", desc="share"):
            task = tasks[number % len(tasks)]
            bare, policy = expert(task, family), expert(task, family)
            question = Question(images=list(task.images), question=task.question)
            began = time.process_time()
            await without_graph(parts.runner.graph, question, parts.episode(bare))
            nodes = time.process_time() - began - bare.seconds
            began = time.process_time()
            state = await parts.ask(task, parts.episode(policy))
            asked = time.process_time()
            reward, components = score(task, state, config.rl.rewards)
            scored = time.process_time()
            parts.training_rows(state)
            checked = time.process_time()
            kept.add(record(str(number), "benchmark", task, state, components, reward, 0.0))
            ended = time.process_time()
            if number >= 0:  # what came before warmed up
                graph = asked - began - policy.seconds - nodes
                times = (nodes, graph, scored - asked, ended - checked, checked - scored)
                for name, seconds in zip(spent, times, strict=True):
                    spent[name] += seconds / episodes
        assert kept.count() == episodes + len(tasks)
    return spent


def step_of(asked: argparse.Namespace) -> tuple[float, int] | None:
    """(seconds of a training step, its episodes) of a run or as told; None where neither is given.

    Of a run: the median that OpenRLHF itself logs for a step, without the start of its processes.
    """
    if asked.run:
        config = load_config(asked.run / "config.yaml")
        log = (asked.run / "logs" / "openrlhf.log").read_text(encoding="utf-8", errors="replace")
        seconds = [float(found) for found in re.findall(r"timing/step_total': ([\d.]+)", log)]
        return float(np.median(seconds)), config.rl.prompts_per_step * config.rl.samples_per_prompt
    return (asked.step_seconds, asked.episodes_per_step) if asked.step_seconds else None


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rollout_schedule", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=embedded(), help="for its tokenizer")
    parser.add_argument("--episodes", type=int, default=128, help="of each pass (default: %(default)s)")
    parser.add_argument("--slots", type=int, default=16, help="turns that are written at once (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="of an episode (default: %(default)s)")
    parser.add_argument("--generation", type=float, default=0.05, help="seconds of a turn (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--run", type=Path, help="a finished run, for the seconds of its training steps")
    parser.add_argument("--step-seconds", type=float, help="seconds of a training step, where no run is given")
    parser.add_argument("--episodes-per-step", type=int, default=128)
    parser.add_argument("--share-only", action="store_true", help="leave out the two schedules")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: runs/benchmarks/NAME.json)")
    asked = parser.parse_args()
    family = family_in(asked.checkpoint)
    found: dict[str, Any] = {name: getattr(asked, name) for name in ("episodes", "slots", "turns", "generation")}
    if not asked.share_only:
        found["schedules"] = rows = asyncio.run(schedule(family, asked))
        columns = ("tool latency", "lockstep at once", "asynchronous at once", "lockstep s", "asynchronous s", "ratio")
        print(
            finding.table(
                columns,
                [
                    (
                        each["law"],
                        each["lockstep_at_once"],
                        each["asynchronous_in_flight"],
                        each["lockstep_s"],
                        each["asynchronous_s"],
                        f"{each['ratio']:.2f} [{each['ci95'][0]:.2f}, {each['ci95'][1]:.2f}]",
                    )
                    for each in rows
                ],
            )
        )
    found["seconds_of_an_episode"] = spent = asyncio.run(share(family, asked.episodes))
    ours = sum(seconds for name, seconds in spent.items() if name != "check")
    print(finding.table(("part", "ms an episode"), [(name, 1000 * seconds) for name, seconds in spent.items()]))
    if (step := step_of(asked)) is not None:
        found |= {"step_seconds": step[0], "episodes_per_step": step[1], "share": ours * step[1] / step[0]}
        found["share_with_check"] = (ours + spent["check"]) * step[1] / step[0]
        found["share_without_graph"] = (ours - spent["graph"]) * step[1] / step[0]
        print(f"rewards, store and environment: {found['share']:.1%} of a step of {step[0]:.1f} s, {step[1]} episodes;")
        print(f"without LangGraph: {found['share_without_graph']:.1%};")
        print(f"with the check that stands before training: {found['share_with_check']:.1%}")
    print(finding.write("rollout_schedule", found, asked.out))


if __name__ == "__main__":
    main()
