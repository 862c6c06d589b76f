"""The Gymnasium environment: its own checker passes it, and what is stepped through is what the graph does."""

import asyncio
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from agent.encoder import Encoder
from agent.ledger import Ledger, LedgerError, Sampled
from agent.limits import Limits
from agent.policies.policy import Completion
from agent.policies.scripted import ScriptedPolicy
from agent.question import Overrides
from rl.config import ROOT, Base, Config
from rl.environment import ID, VQAEnvironment
from rl.graph import open_graph
from rl.rewards.compose import score
from rl.rollout import RunParts
from rl.spaces import AnyText, Pictures
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory, record
from tests.rl.scripts import answers, looks
from tools.images.store import ImageStore
from tools.registry import load_tools

Gallery = tuple[ImageStore, list[Task]]


@pytest.fixture(scope="module")
def base() -> Encoder:
    """The committed base's encoder, which the environment speaks by default."""
    return Encoder.from_checkpoint(ROOT / Base().checkpoint)


@pytest.fixture
def environment(gallery: Gallery) -> Iterator[Any]:
    """Over the ten tasks of the gallery."""
    made = gymnasium.make(ID, tasks=gallery[1], images=gallery[0].folder, max_turns=3)
    yield made
    made.close()


def asked_by_the_graph(gallery: Gallery, task: Task, encoder: Encoder, script: Sequence[str]) -> Trajectory:
    """The episode as the reasoning graph runs it."""
    config, limits, tools = Config(name="test"), Limits(3, 32, 512), load_tools(["zoom_in", "measure_distance"])
    policy = ScriptedPolicy(script, encoder)
    found = open_graph("reasoning", policy, tools, encoder=encoder, store=gallery[0], limits=limits)
    parts = RunParts(config, encoder, gallery[0], limits, found.graph)
    state = asyncio.run(parts.ask(task, Overrides()))
    reward, components = score(task, state, config.rl.rewards)
    return record("g", "graph", task, state, components, reward, 0.0, origin=found.origin)


def timeless(trajectory: Trajectory) -> dict[str, Any]:
    """All of an episode but what names it and what a clock said."""
    calls = [{**call, "seconds": 0.0} for call in trajectory.calls]
    return {**trajectory.to_plain(), "id": "", "stage": "", "seconds": 0.0, "calls": calls}


def _reason(turn: Sampled) -> Any:
    return turn.finish_reason


MALFORMED = ["no tags at all", '<think>a</think><tool_call>{"name": "fly", "arguments": {}}</tool_call>']


def scripts(task: Task) -> list[list[str]]:
    return [looks(task), answers("elsewhere"), [*MALFORMED, *answers(task.answer)], [*MALFORMED, "still none"]]


@pytest.mark.parametrize("script", range(4))
@pytest.mark.parametrize("kind", ["compare", "measure"])
@pytest.mark.parametrize("exact", [True, False])
def test_a_graphs_episode_replayed_through_step_is_the_same(
    gallery: Gallery, base: Encoder, environment: Any, kind: str, script: int, exact: bool
) -> None:
    task = next(task for task in gallery[1] if task.kind == kind)
    episode = asked_by_the_graph(gallery, task, base, scripts(task)[script])
    ledger = Ledger.from_plain(episode.ledger)
    spoken = [message["text"] for message in episode.transcript if message["role"] == "policy"]
    sampled = [
        Completion(ledger.ids[turn.start : turn.end], turn.logprobs, _reason(turn), turn.versions, turn.start)
        for turn in ledger.sampled
    ]
    environment.reset(options={"task": task.id})
    total, ended = 0.0, (False, False)
    for turn in sampled if exact else spoken:
        assert ended == (False, False)
        _, reward, *ended_now, info = environment.step(turn)
        total, ended = total + reward, tuple(ended_now)
    replayed = environment.unwrapped.trajectory()
    assert timeless(replayed) == timeless(episode)
    assert total == episode.reward and info["rewards"] == episode.rewards
    assert ended == ((True, False) if episode.outcome == "answered" else (False, True))


def test_a_completion_of_another_prompt_is_refused(environment: Any) -> None:
    environment.reset(seed=0)
    with pytest.raises(LedgerError, match="The policy saw a prompt of 7 tokens"):
        environment.step(Completion((5,), (-0.1,), "stop", ("v",), 7))


def test_gymnasiums_own_checker_passes(gallery: Gallery) -> None:
    made = gymnasium.make(ID, tasks=gallery[1][:3], images=gallery[0].folder, max_turns=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # the checker warns of what it does not forbid
        check_env(made.unwrapped)
    made.close()


def test_a_seed_repeats_an_episode_bit_by_bit(gallery: Gallery) -> None:
    def played(seed: int) -> tuple[list[Any], Trajectory]:
        made = gymnasium.make(ID, tasks=gallery[1], images=gallery[0].folder, max_turns=3)
        seen, _ = made.reset(seed=seed)
        history: list[Any] = [seen]
        task = next(task for task in gallery[1] if task.question in seen["text"])
        for turn in (looks(task)[0], *answers("solid")):
            history.append(made.step(turn))
        unwrapped: Any = made.unwrapped
        trajectory = unwrapped.trajectory()
        made.close()
        return history, trajectory

    (first, one), (again, two) = played(3), played(3)
    assert timeless(one) == timeless(two)
    assert first[0]["text"] == again[0]["text"]
    for before, after in zip(first[1:], again[1:], strict=True):
        assert before[1:] == after[1:] and before[0]["text"] == after[0]["text"]
        assert all(map(np.array_equal, before[0]["images"], after[0]["images"]))
    assert len({played(seed)[1].task["id"] for seed in range(5)}) > 1


def test_what_is_observed_is_what_the_policy_reads(gallery: Gallery, environment: Any) -> None:
    task = next(task for task in gallery[1] if task.kind == "compare")
    first, info = environment.reset(options={"task": task.id})
    assert first["text"].startswith("You read medical images. Research use only, not a medical device.")
    assert first["text"].endswith(f"Image 1: <image>\n{task.question}") and "zoom_in(image: int" in first["text"]
    assert [each.shape for each in first["images"]] == [(512, 512, 3)]
    assert np.array_equal(first["images"][0][:, :, 0], gallery[0].get(task.images[0]).pixels)
    assert info["kind"] == "compare" and environment.unwrapped.encoder.image_pad in info["token_ids"]
    second, reward, terminated, truncated, _ = environment.step(looks(task)[0])
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert second["text"].startswith("Image 2: <image> ") and "\nImage 3: <image> " in second["text"]
    assert len(second["images"]) == 2 and second["images"][0].shape[0] < 512
    last, reward, terminated, _, told = environment.step(answers(task.answer)[0])
    assert (last["text"], last["images"], terminated) == ("", (), True)
    assert told["answer"] == task.answer and told["rewards"]["answer"] == 1.0 and reward > 1.0


def test_an_abstention_ends_an_episode_and_a_full_context_cuts_it(gallery: Gallery, environment: Any) -> None:
    task = next(task for task in gallery[1] if task.kind == "compare")
    _, info = environment.reset(options={"task": task.id})
    _, _, *ended, told = environment.step(answers("cannot tell")[0])
    assert (ended, told["outcome"], told["answer"]) == ([True, False], "abstained", "")
    room = len(info["token_ids"]) + 15 + 40  # the image takes 16 ids; two views would not fit after the turn
    made = gymnasium.make(ID, tasks=[task], images=gallery[0].folder, context=room)
    made.reset(seed=0)
    _, _, *ended, told = made.step(looks(task)[0])
    made.close()
    assert (ended, told["outcome"]) == ([False, True], "context_full")


def test_what_cannot_be_stepped_is_told(gallery: Gallery) -> None:
    made = VQAEnvironment(gallery[1], images=gallery[0].folder)
    with pytest.raises(RuntimeError, match="before the first reset"):
        made.step("a")
    with pytest.raises(KeyError, match="Got the task 'none', expected the id of one of the 10 tasks"):
        made.reset(options={"task": "none"})
    made.reset(options={"task": 0})
    made.step(answers("solid")[0])
    with pytest.raises(RuntimeError, match="no episode goes on"):
        made.step("a")
    made.close()
    with pytest.raises(LookupError, match=r"Got the graph 'none', expected one of .*reasoning"):
        VQAEnvironment(gallery[1], images=gallery[0].folder, graph="none").reset()
    with pytest.raises(ValueError, match="Got no tasks"):
        VQAEnvironment([], images=gallery[0].folder)


def test_a_graph_that_never_asks_is_told(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "mute.py").write_text(
        "from langgraph.graph import START, StateGraph\nfrom graphs.state import Answered\n"
        "def build(policy, tools, *, encoder, store):\n    graph = StateGraph(Answered)\n"
        "    graph.add_node('guess', lambda state: {'answer': 'cystic'})\n    graph.add_edge(START, 'guess')\n"
        "    return graph.compile()\n"
    )
    made = VQAEnvironment(gallery[1], images=gallery[0].folder, graph=f"{tmp_path}/mute.py:build")
    with pytest.raises(LookupError, match="ended without asking its policy"):
        made.reset()
    made.close()


@pytest.mark.parametrize("graph", ["second_opinion", "verify", "compare_prior", "review", "no_tools"])
def test_a_graph_of_several_conversations_is_refused_with_what_is_supported(gallery: Gallery, graph: str) -> None:
    with pytest.raises(LookupError, match=rf"Got the graph '{graph}', .*several conversations; expected .*'reasoning'"):
        made = VQAEnvironment(gallery[1], images=gallery[0].folder, graph=graph, context=2048)
        try:
            made.reset(seed=0)
            while not any(made.step(answers("solid")[0])[2:4]):
                pass
            made.trajectory()
        finally:
            made.close()


@pytest.mark.parametrize("mode", ["sync", pytest.param("async", marks=pytest.mark.slow)])
def test_many_environments_at_once(gallery: Gallery, mode: str) -> None:
    options = {"shared_memory": False} if mode == "async" else {}
    made = gymnasium.make_vec(
        ID,
        num_envs=2,
        vectorization_mode=mode,
        vector_kwargs=options,
        tasks=gallery[1],
        images=gallery[0].folder,
    )
    seen, _ = made.reset(seed=[0, 1])
    assert len(seen["text"]) == len(seen["images"]) == 2 and seen["text"][0] != seen["text"][1]
    tasks = [next(task for task in gallery[1] if task.question in text) for text in seen["text"]]
    made.step([looks(task)[0] for task in tasks])
    _, rewards, terminated, truncated, info = made.step([*answers(tasks[0].answer), *answers("elsewhere")])
    made.close()
    assert list(terminated) == [True, True] and not any(truncated)
    assert list(info["rewards"]["answer"]) == [1.0, 0.0] and rewards[0] > rewards[1]


def test_an_environment_of_a_task_set_by_name_cleans_up(tmp_path: Path) -> None:
    made: Any = gymnasium.make(f"rl.environment:{ID}", tasks="phantoms", count=2, split="validation")
    made.reset(seed=1)
    folder = made.unwrapped.store.folder
    assert folder.is_dir() and [task.id for task in made.unwrapped.tasks] == [
        "phantoms/validation/0/0",
        "phantoms/validation/0/1",
    ]
    made.close()
    assert not folder.exists()


def test_the_spaces_hold_what_they_sample() -> None:
    for space in (AnyText(50, seed=0), Pictures(seed=0)):
        assert all(space.contains(space.sample()) for _ in range(20))
    assert AnyText(5).contains("µ²°") and not AnyText(2).contains("abc") and not AnyText(2).contains(3)
    assert Pictures().contains(()) and not Pictures().contains((np.zeros((2, 2), np.uint8),))
    assert Pictures() == Pictures() and Pictures() != AnyText(3)
