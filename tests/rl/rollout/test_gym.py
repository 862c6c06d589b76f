"""The Gymnasium environment: its own checker passes it, and what is stepped through is what any graph does."""

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from agent.chat.families.family import Family
from agent.chat.record.ledger import LedgerError
from agent.policies.policy import Completion, Policy
from agent.policies.scripted import ScriptedPolicy
from graphs.app import catalogue
from rl.config import ROOT, Config, Episode
from rl.rewards.compose import UnscoredError
from rl.rollout.gym import ID, VQAEnvironment
from rl.rollout.gym_spaces import AnyText, Pictures
from rl.rollout.run_parts import open_parts, sampling_of
from rl.rollout.schedule import Job
from rl.tasks.task import Task
from rl.trajectories.record import Trajectory
from rl.trajectories.replay import replayed
from rl.trajectories.rows import from_row, to_row
from tests.answering import LOOK, Answers, answer, spoken
from tests.rl.one_node import ASK, one_node
from tests.rl.scripts import answers, looks
from tools.images.store import ImageStore

Gallery = tuple[ImageStore, list[Task]]
Make = Callable[..., Any]
EXAMPLES = sorted(str(path) for path in (ROOT / "examples").glob("*.py"))
SHAPES = Path(__file__).parent / "shapes"
SHAPED = [f"{SHAPES}/{name}.py" for name in ("approval", "person", "planner")]
ROOMY = {"context": 2048, "turn_tokens": 64}


@pytest.fixture
def make(gallery: Gallery) -> Iterator[Make]:
    """Makes environments over the ten tasks of the gallery."""
    made: list[Any] = []

    def opened_one(graph: str = "reasoning", **options: Any) -> Any:
        made.append(gymnasium.make(ID, tasks=gallery[1], images=gallery[0].folder, graph=graph, **options))
        return made[-1]

    yield opened_one
    for each in made:
        each.close()


@pytest.fixture
def environment(make: Make) -> Any:
    """The default one."""
    return make()


def sampled(gallery: Gallery, task: Task, policy: Policy, family: Family, graph: str, **episode: Any) -> Trajectory:
    """An episode as a rollout plays it."""
    parts = open_parts(Config(name="test", graph=graph, episode=Episode(**episode)), family, gallery[0])
    return asyncio.run(parts.play(Job(task), policy, "rl", sampling_of(parts.config)))


def said_again(environment: Any, trajectory: Trajectory) -> tuple[Trajectory, float, tuple[bool, bool], int]:
    """A trajectory stepped through: what it leaves, the sum of the rewards, how it ended, the number of turns."""
    say = replayed(trajectory, environment.unwrapped.family)
    _, info = environment.reset(options={"task": trajectory.task["id"]})
    total, ended, turns = 0.0, (False, False), 0
    while ended == (False, False):
        _, reward, *now, info = environment.step(say(info))
        total, ended, turns = total + reward, (now[0], now[1]), turns + 1
    assert info["rewards"] == trajectory.rewards
    return environment.unwrapped.trajectory(), total, ended, turns


def timeless(trajectory: Trajectory) -> dict[str, Any]:
    """All of an episode but what names it and its samples, and what a clock said."""
    calls = [{**call, "seconds": 0.0} for call in trajectory.calls]
    rows, untrained = (
        [{**row, "sampled": [[*turn[:5], turn[6]] for turn in row["sampled"]]} for row in kept]
        for kept in (trajectory.rows, trajectory.untrained)
    )
    named = {"id": "", "stage": "", "seconds": 0.0}
    return {**trajectory.to_plain(), **named, "calls": calls, "rows": rows, "untrained": untrained}


def unordered(trajectory: Trajectory) -> dict[str, Any]:
    """As `timeless`, for a graph whose parallel conversations end now in one order and now in another."""
    plain = timeless(trajectory)
    return {**plain, **{name: sorted(map(repr, plain[name])) for name in ("rows", "calls", "images")}}


def looking(chat: str) -> str:
    """Looks once in each conversation, then answers with what the conversation begins with."""
    return answer(f"cystic {len(chat) % 97}") if spoken(chat) else LOOK


MALFORMED = ["no tags at all", '<think>a</think><tool_call>{"name": "fly", "arguments": {}}</tool_call>']


def scripts(task: Task) -> list[list[str]]:
    return [looks(task), answers("elsewhere"), [*MALFORMED, *answers(task.answer)], [*MALFORMED, "still none"]]


@pytest.mark.parametrize("script", range(4))
@pytest.mark.parametrize("kind", ["compare", "measure"])
@pytest.mark.parametrize("exact", [True, False])
def test_a_graphs_episode_replayed_through_step_is_the_same(
    gallery: Gallery, encoder: Family, environment: Any, kind: str, script: int, exact: bool
) -> None:
    task = next(task for task in gallery[1] if task.kind == kind)
    episode = sampled(gallery, task, ScriptedPolicy(scripts(task)[script], encoder), encoder, "reasoning")
    if exact:
        again, total, ended, _ = said_again(environment, episode)
    else:
        environment.reset(options={"task": task.id})
        for turn in scripts(task)[script]:
            _, total, *both, _ = environment.step(turn)
        again, ended = environment.unwrapped.trajectory(), tuple(both)
    assert timeless(again) == timeless(episode)
    assert total == episode.reward
    assert ended == ((True, False) if episode.outcome == "answered" else (False, True))


@pytest.mark.parametrize("graph", [*catalogue.graphs(), *EXAMPLES, *SHAPED])
def test_an_episode_of_any_graph_is_replayed_token_for_token(
    gallery: Gallery, encoder: Family, make: Make, graph: str
) -> None:
    """Sampled by a rollout, said again through the environment: the same rows, calls, answer and reward."""
    task = replace(gallery[1][0], images=(gallery[1][0].images[0], gallery[1][1].images[0]), id="two")
    task = task if graph == "compare_prior" else gallery[1][0]
    episode = sampled(gallery, task, Answers(looking, encoder), encoder, graph, **ROOMY)
    gym = make(graph, **ROOMY)
    gym.unwrapped.tasks = (task,)
    again, total, _, turns = said_again(gym, episode)
    assert unordered(again) == unordered(episode)
    said = [turn for each in (*episode.rows, *episode.untrained) for turn in each["sampled"]]
    assert (total, turns) == (episode.reward, len(said))


def test_turns_that_a_grammar_held_are_replayed_too(gallery: Gallery, encoder: Family, make: Make) -> None:
    """They train nobody, and are kept beside the rows, in the store as well."""
    said = '<think>I see.</think><answer>{"answer": "cystic"}</answer>'
    graph = f"{SHAPES}/structured.py"
    episode = sampled(gallery, gallery[1][0], Answers(lambda chat: said, encoder), encoder, graph, **ROOMY)
    assert [len(row["sampled"]) for row in (*episode.rows, *episode.untrained)] == [0, 1]
    again, _, ended, turns = said_again(make(graph, **ROOMY), from_row(to_row(episode)))
    assert timeless(again) == timeless(episode)
    assert (again.answer, ended, turns) == ("cystic", (True, False), 1)


def test_a_turn_that_was_not_sampled_there_is_not_replayed(gallery: Gallery, encoder: Family, make: Make) -> None:
    first, second = gallery[1][:2]
    episode = sampled(gallery, first, ScriptedPolicy(answers("solid"), encoder), encoder, "reasoning")
    say = replayed(episode, encoder)
    _, other = make().reset(options={"task": second.id})
    with pytest.raises(LookupError, match="expected one behind which a turn of this trajectory is left"):
        say(other)
    _, info = make().reset(options={"task": first.id})
    assert say(info).token_ids == tuple(encoder.encode(answers("solid")[0] + "<|im_end|>")[0])
    with pytest.raises(LookupError, match="is left"):
        say(info)


def test_turns_that_a_graph_asks_for_at_once_are_handed_out_in_order(gallery: Gallery, make: Make) -> None:
    """Each answer goes to the reader that was observed, whose quarter only its own picture shows."""
    gym = make(f"{ROOT}/examples/tiles.py", **ROOMY)
    task = gallery[1][0]
    seen, info = gym.reset(options={"task": task.id})
    places, conversations = [], []
    for corner in ("upper left", "upper right", "lower left", "lower right"):
        assert f"You see the {corner} quarter." in seen["text"] and info["node"] == "read"
        whole = gallery[0].get(task.images[0]).pixels
        down, across = 256 * corner.startswith("lower"), 256 * corner.endswith("right")
        assert np.array_equal(seen["images"][0][:, :, 0], whole[down : down + 256, across : across + 256])
        conversations.append(info["conversation"])
        places.append(f"{corner}: it is {corner}")
        seen, _, *ended, info = gym.step(answers(f"it is {corner}")[0])
        assert ended == [False, False]
    assert "\n".join(places) in seen["text"] and info["node"] == "put_together"
    assert len({*conversations, info["conversation"]}) == 5
    *_, info = gym.step(answers("solid")[0])
    assert info["answer"] == "solid"


def test_what_was_read_is_not_observed_again_but_where_nothing_else_stands_before_a_turn(make: Make) -> None:
    """Two readers with one prompt: the second is told it too; what each finds it reads once."""
    gym = make(f"{ROOT}/examples/debate.py", **ROOMY)
    first, told = gym.reset(seed=0)
    assert "You name what you see at once." in first["text"] and len(first["images"]) == 1
    second, also = gym.step(answers("round")[0])[::4]
    assert "You doubt what is seen at first." in second["text"] and len(second["images"]) == 1
    assert (told["node"], also["node"]) == ("bold", "careful") and told["conversation"] != also["conversation"]
    third, again = gym.step(answers("flat")[0])[::4]
    assert (third["text"], third["images"]) == ("The other says: flat", ())
    assert (again["node"], again["conversation"]) == ("bold", told["conversation"])
    assert len(again["images"]) == 1  # the prompt still holds it


def test_the_same_prompt_is_observed_each_time_it_is_asked(make: Make, tmp_path: Path) -> None:
    gym = make(
        one_node(tmp_path, ASK, ASK.replace("said", "again"), "return {'answer': f'{said.text} or {again.text}'}")
    )
    first, told = gym.reset(seed=0)
    second, _, *ended, also = gym.step(answers("left")[0])
    assert first["text"] == second["text"] and len(second["images"]) == 1 and ended == [False, False]
    assert {**told, "kind": ""} == {**also, "kind": ""}
    assert gym.step(answers("right")[0])[4]["answer"] == "left or right"


def test_a_pause_is_answered_by_the_graph_s_own_person(make: Make) -> None:
    gym = make(f"{SHAPES}/person.py", **ROOMY)
    gym.reset(seed=0)
    seen, _, *ended, _ = gym.step(answers("cystic")[0])
    assert (seen["text"], ended) == ("Look again.", [False, False])
    *_, info = gym.step(answers("solid")[0])
    assert (info["answer"], info["outcome"]) == ("solid", "answered")


def test_a_pause_that_nobody_foresaw_goes_on_where_it_was(make: Make, tmp_path: Path) -> None:
    text = (SHAPES / "person.py").read_text().replace("answer_interrupt", "somebody").replace('"fine"', '"yes"')
    (tmp_path / "surprise.py").write_text(text)
    gym = make(f"{tmp_path}/surprise.py")
    gym.reset(seed=0)
    assert gym.step(answers("cystic")[0])[2:4] == (True, False)


def test_a_completion_of_another_prompt_is_refused(environment: Any) -> None:
    environment.reset(seed=0)
    with pytest.raises(LedgerError, match="The policy saw a prompt of 7 tokens"):
        environment.step(Completion((5,), (-0.1,), "stop", ("v",), 7))


@pytest.mark.parametrize("graph", ["reasoning", "second_opinion", EXAMPLES[1]])
def test_gymnasiums_own_checker_passes(make: Make, graph: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # the checker warns of what it does not forbid
        check_env(make(graph, **ROOMY).unwrapped)


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
    assert info["kind"] == "compare" and environment.unwrapped.family.image_pad in info["token_ids"]
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


@pytest.mark.parametrize(
    ("line", "context", "said"),
    [
        ("return {'answer': 'cystic'}", 512, "ended without asking its policy, expected .*does it use the model"),
        (
            "raise KeyError('lesion')",
            512,
            r"before its policy was asked, by a bug: KeyError: 'lesion' \(line 5 of own.py",
        ),
        (ASK, 30, "the first prompt does not fit, raise `context`"),
    ],
)
def test_an_episode_without_a_turn_is_told(make: Make, tmp_path: Path, line: str, context: int, said: str) -> None:
    with pytest.raises(LookupError, match=said):
        make(one_node(tmp_path, line), context=context).reset(seed=0)


def test_a_bug_of_a_graph_ends_its_episode_and_is_never_scored(make: Make, tmp_path: Path) -> None:
    gym = make(one_node(tmp_path, ASK, "return {'answer': said.text if 'solid' in said.text else 1 / 0}"))
    gym.reset(seed=0)
    with pytest.raises(UnscoredError, match="that a bug of its graph ended: ZeroDivisionError"):
        gym.step(answers("cystic")[0])
    with pytest.raises(RuntimeError, match="no episode goes on"):
        gym.step("a")
    gym.reset(seed=0)
    assert gym.step(answers("solid")[0])[2:4] == (True, False)


def test_a_structured_answer_that_cannot_be_read_ends_its_episode(make: Make) -> None:
    gym = make(f"{SHAPES}/structured.py", **ROOMY)
    gym.reset(seed=0)
    _, reward, *ended, info = gym.step('<think>I see.</think><answer>{"answer": "' + "cystic " * 60)
    assert (reward, ended, info["outcome"]) == (0.0, [True, False], "unreadable")
    gym.reset(seed=0)
    *_, info = gym.step('<think>I see.</think><answer>{"answer": "cystic"}</answer>')
    assert (info["answer"], info["outcome"]) == ("cystic", "answered")


def test_an_agent_that_looks_for_ever_is_cut_off(make: Make) -> None:
    gym = make(f"{ROOT}/examples/agent.py", context=256, turn_tokens=64)
    gym.reset(seed=0)
    turns = 1
    while (said := gym.step(LOOK))[2:4] == (False, False):
        turns += 1
    assert said[2:4] == (False, True) and said[4]["outcome"] in ("context_full", "too_many_turns") and turns > 2


@pytest.mark.parametrize("call", ["await model.ainvoke", "model.invoke"])
@pytest.mark.parametrize("end", ["close", "reset"])
def test_an_episode_can_be_ended_in_its_middle(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, call: str, end: str
) -> None:
    """Also one whose node waits in a thread: nothing is left of it, and nobody takes it for a bug."""
    before = threading.active_count()
    gym = make(one_node(tmp_path, ASK.replace("await model.ainvoke", call), "return {'answer': said.text}"))
    gym.reset(seed=0)
    if end == "reset":
        gym.reset(seed=1)
        assert gym.step(answers("solid")[0])[4]["answer"] == "solid"
        gym.reset(seed=1)
    gym.close()
    assert threading.active_count() == before and not caplog.records


def test_an_episode_whose_graph_asks_several_at_once_can_be_ended_in_its_middle(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    gym = make("second_opinion", **ROOMY)
    gym.reset(seed=0)
    gym.step(answers("solid")[0])
    gym.reset(seed=0)
    gym.close()
    assert not [thread for thread in threading.enumerate() if "dialogue" in thread.name] and not caplog.records


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
    made: Any = gymnasium.make(f"rl.rollout.gym:{ID}", tasks="phantoms", count=2, split="validation")
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
