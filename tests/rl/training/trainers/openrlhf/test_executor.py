"""What OpenRLHF gets of an episode: our executor, loaded as OpenRLHF loads it, over an engine with vLLM's shapes."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.encoder import Encoder
from rl.config import Config, Episode, Rl, dump
from rl.tasks.task import Task
from rl.trajectories.check import RefusedError
from rl.trajectories.store import TrajectoryStore
from tests.rl.scripts import answers, looks
from tests.rl.training.trainers.openrlhf.conftest import Engine, Params
from tools.images.store import ImageStore
from tools.medical_tool import medical_tool

EPISODE = Episode()
WEIGHTS = Rl().rewards
Gallery = tuple[ImageStore, list[Task]]


def kept(run: Path) -> list[Any]:
    return list(TrajectoryStore(run / "trajectories" / "rl"))


def of_kind(gallery: Gallery, kind: str) -> Task:
    return next(task for task in gallery[1] if task.kind == kind)


def test_openrlhf_gets_exactly_what_was_sampled(
    execute: Callable[..., dict[str, Any]], encoder: Encoder, gallery: Gallery
) -> None:
    task = of_kind(gallery, "compare")
    script = looks(task)
    got = execute(task, Engine(script, encoder))
    ids, ranges = got["observation_tokens"], got["action_ranges"]
    assert [encoder.decode(ids[start:end]) for start, end in ranges] == [f"{turn}<|im_end|>" for turn in script]
    assert ids[-1] == encoder.end_of_turn and ranges[-1][1] == len(ids)
    lengths = [end - start for start, end in ranges]
    expected = [0.0] * len(ids)
    for (start, _), length in zip(ranges, lengths, strict=True):
        expected[start : start + length] = [-0.1 * (place + 1) for place in range(length)]
    assert got["rollout_log_probs"] == pytest.approx(expected)
    assert got["truncated"] is False


def test_pixels_and_placeholders_agree(
    execute: Callable[..., dict[str, Any]], encoder: Encoder, gallery: Gallery
) -> None:
    task = of_kind(gallery, "compare")
    got = execute(task, Engine(looks(task), encoder))
    pixels = got["mm_train_inputs"]
    grids = pixels["image_grid_thw"].tolist()
    assert grids == [[1, 8, 8]] * 3  # the picture and two square views, each 112 x 112 in patches of 14
    assert pixels["pixel_values"].shape == (3 * 64, 3 * 2 * 14 * 14)
    assert got["observation_tokens"].count(encoder.image_pad) == 3 * 16


def test_the_reward_is_that_of_the_run(
    execute: Callable[..., dict[str, Any]], encoder: Encoder, gallery: Gallery
) -> None:
    task = of_kind(gallery, "compare")
    right = execute(task, Engine(looks(task), encoder))
    assert (right["reward"], right["scores"]) == (
        pytest.approx(sum(WEIGHTS.values()) + WEIGHTS["calls"]),
        1.0,
    )  # two calls
    assert isinstance(right["reward"], float)
    wrong = execute(task, Engine(answers("perhaps"), encoder))
    assert (wrong["reward"], wrong["scores"]) == (pytest.approx(WEIGHTS["format"]), 0.0)


def test_every_sample_logs_the_same_names(
    execute: Callable[..., dict[str, Any]], encoder: Encoder, gallery: Gallery
) -> None:
    task = of_kind(gallery, "name")
    engines = [Engine(looks(task), encoder), Engine(answers("solid"), encoder), Engine(["Hm."], encoder)]
    logs = [execute(task, engine)["extra_logs"] for engine in engines]
    names = {"turns", "tool_calls", "images", "faults", "forked"}
    rewards = {"reward_answer", "reward_tool_use", "reward_format", "reward_calls"}
    assert all(set(log) == names | rewards for log in logs)
    assert all(isinstance(value, float) for log in logs for value in log.values())
    assert [log["turns"] for log in logs] == [2.0, 1.0, EPISODE.turns]
    assert [log["faults"] for log in logs] == [0.0, 0.0, EPISODE.turns]


def test_a_turn_cut_by_length_is_truncated(
    execute: Callable[..., dict[str, Any]], encoder: Encoder, gallery: Gallery
) -> None:
    got = execute(of_kind(gallery, "name"), Engine(["word " * 100], encoder))
    assert got["truncated"] is True
    assert [end - start for start, end in got["action_ranges"]] == [EPISODE.turn_tokens] * EPISODE.turns
    # the end that the cut turns lack is there, and is not trained on
    ends = [end for _, end in got["action_ranges"][:-1]]
    assert all(got["observation_tokens"][end] == encoder.end_of_turn for end in ends)


def test_log_probabilities_are_left_out_where_openrlhf_does_not_ask(
    execute: Callable[..., dict[str, Any]], encoder: Encoder, gallery: Gallery
) -> None:
    got = execute(of_kind(gallery, "name"), Engine(answers("solid"), encoder), Params(logprobs=None))
    assert got["rollout_log_probs"] is None


def test_a_finished_episode_lands_in_the_store_under_the_weights_that_sampled_it(
    execute: Callable[..., dict[str, Any]], run: Path, encoder: Encoder, gallery: Gallery
) -> None:
    task = of_kind(gallery, "name")
    got = [execute(task, Engine(looks(task), encoder)) for _ in range(3)]
    stored = kept(run)
    assert [each.rows[0]["ids"] for each in stored] == [each["observation_tokens"] for each in got]
    assert [each.versions for each in stored] == [["step-00000"], ["step-00000"], ["step-00001"]]  # two make a step
    assert len({each.id for each in stored}) == 3
    assert {each.task["id"] for each in stored} == {task.id}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"miscounted": 1}, "the ledger holds"),
        ({"stray": ["<|image_pad|>"]}, "holds an image placeholder"),
    ],
)
def test_a_misaligned_episode_is_refused_noted_and_after_three_the_run_stops(
    execute: Callable[..., dict[str, Any]],
    run: Path,
    encoder: Encoder,
    gallery: Gallery,
    fault: dict[str, Any],
    said: str,
) -> None:
    task = of_kind(gallery, "name")
    strays = [encoder.tokenizer.convert_tokens_to_ids(name) for name in fault.get("stray", ())]
    engine = Engine(answers("solid"), encoder, miscounted=fault.get("miscounted", 0), stray=strays)
    with pytest.raises(RefusedError, match=f"3 trajectories of {task.id} were refused in a row"):
        execute(task, engine)
    notes = [json.loads(line) for line in (run / "trajectories" / "refused.jsonl").read_text().splitlines()]
    assert [note["task"] for note in notes] == [task.id] * 3
    assert all(said in note["reason"] for note in notes)
    assert kept(run) == []
    assert engine.asked == 3


def test_one_refusal_costs_one_episode(
    execute: Callable[..., dict[str, Any]], run: Path, encoder: Encoder, gallery: Gallery
) -> None:
    task = of_kind(gallery, "name")

    class OnceWrong(Engine):
        async def generate(self, *arguments: Any, **options: Any) -> Any:
            self.miscounted = int(self.asked == 0)
            return await super().generate(*arguments, **options)

    got = execute(task, OnceWrong(answers("solid"), encoder))
    assert got["observation_tokens"] == kept(run)[0].rows[0]["ids"]
    assert len((run / "trajectories" / "refused.jsonl").read_text().splitlines()) == 1


def test_a_turn_that_the_engine_broke_off_is_sampled_again(
    execute: Callable[..., dict[str, Any]], run: Path, encoder: Encoder, gallery: Gallery
) -> None:
    task = of_kind(gallery, "name")

    class OnceAborted(Engine):
        async def generate(self, *arguments: Any, **options: Any) -> Any:
            output = await super().generate(*arguments, **options)
            if self.asked == 1:
                output.outputs[0].finish_reason = "abort"
            return output

    got = execute(task, OnceAborted([*answers("solid"), *answers("solid")], encoder))
    assert got["observation_tokens"] == kept(run)[0].rows[0]["ids"]
    assert "'abort'" in (run / "trajectories" / "refused.jsonl").read_text()


def test_a_bug_in_a_tool_is_refused_too(
    execute: Callable[..., dict[str, Any]],
    executor: Any,
    run: Path,
    encoder: Encoder,
    gallery: Gallery,
    parts_of: Callable[..., Any],
) -> None:
    @medical_tool
    def zoom_in(image: Any, box: Any) -> Any:
        """Look closer."""
        raise ZeroDivisionError("ours")

    task = of_kind(gallery, "name")
    executor.sampler.parts = parts_of(gallery[0], tools=[zoom_in])
    with pytest.raises(RefusedError, match="3 trajectories"):
        execute(task, Engine(looks(task), encoder))
    assert "zoom_in had a bug" in (run / "trajectories" / "refused.jsonl").read_text()


def test_a_bug_in_a_graph_is_refused_and_stops_the_run_with_its_line(
    run: Path, encoder: Encoder, gallery: Gallery, request: Any
) -> None:
    (run / "odd.py").write_text(
        "from langgraph.graph import START, StateGraph\nfrom graphs.parts.state import Answer, question_message\n"
        "def factory(model, tools):\n"
        "    async def read(state):\n"
        "        said = await model.ainvoke([question_message(state['images'], state['question'])])\n"
        "        return {'answer': {}[said.text]}\n"
        "    graph = StateGraph(Answer)\n    graph.add_node(read)\n    graph.add_edge(START, 'read')\n"
        "    return graph.compile()\n"
    )
    rl = {"prompts_per_step": 2, "samples_per_prompt": 1}
    (run / "config.yaml").write_text(dump(Config.model_validate({"name": "t", "rl": rl, "graph": f"{run}/odd.py"})))
    with pytest.raises(RefusedError, match=r"3 trajectories .* KeyError: 'solid' \(line 6 of odd.py, in read"):
        request.getfixturevalue("execute")(of_kind(gallery, "name"), Engine(answers("solid"), encoder))
    assert len((run / "trajectories" / "refused.jsonl").read_text().splitlines()) == 3
    assert kept(run) == []


def test_a_resumed_executor_counts_on(run: Path, encoder: Encoder, gallery: Gallery, request: Any) -> None:
    latest = run / "rl" / "checkpoints" / "_actor" / "latest"
    latest.parent.mkdir(parents=True)
    latest.write_text("global_step20")
    execute = request.getfixturevalue("execute")
    execute(of_kind(gallery, "name"), Engine(answers("solid"), encoder))
    assert kept(run)[0].versions == ["step-00020"]


def test_half_a_group_forks_the_calls_of_the_other_half(
    run: Path, encoder: Encoder, gallery: Gallery, request: Any
) -> None:
    always = {"enabled": True, "base": 1.0, "gamma": 0.0}
    rl = {"prompts_per_step": 1, "samples_per_prompt": 4, "regrounding": always, "rewards": {"answer": 1.0, "cca": 1.0}}
    (run / "config.yaml").write_text(dump(Config.model_validate({"name": "test", "rl": rl})))
    executor = request.getfixturevalue("executor")
    task = of_kind(gallery, "name")

    class Forked(Engine):
        """Plays whole turns; asked to go on from within the first one, it writes the rest of that."""

        llm = SimpleNamespace(model_config=SimpleNamespace(max_logprobs=1))

        async def generate(self, prompt_token_ids: list[int], sampling_params: Params, **options: Any) -> Any:
            assert sampling_params.logprobs == 10
            chat = self.encoder.decode(prompt_token_ids).rpartition("<|im_start|>assistant\n")
            self.asked = chat[0].count("<|im_start|>assistant")
            turns = self.turns
            self.turns = [turn.removeprefix(chat[2]) for turn in turns]
            output = await super().generate(prompt_token_ids, sampling_params, **options)
            self.turns = turns
            return output

    engine = Forked(looks(task), encoder)

    async def group() -> list[dict[str, Any]]:
        label = json.dumps({"place": 0, "task": task.to_plain()})
        return await asyncio.gather(
            *(executor.execute(task.question, label, Params(), 512, None, engine) for _ in range(4))
        )

    got = asyncio.run(group())
    assert [each["extra_logs"]["forked"] for each in got] == [0.0, 0.0, 1.0, 1.0]
    assert [each["reward"] for each in got] == [2.0] * 4  # all right, all looked at the same place
    assert engine.llm.model_config.max_logprobs == 10
    fresh, fork = got[0], got[2]
    assert fork["observation_tokens"] == fresh["observation_tokens"]
    begins, own = fresh["action_ranges"][0][0], fork["action_ranges"][0][0]
    said = encoder.decode(fresh["observation_tokens"][begins:own])
    assert said.endswith('"arguments": {"image": ')
    assert fork["action_ranges"][1:] == fresh["action_ranges"][1:]
    assert [each.forked for each in kept(run)] == [False, False, True, True]
