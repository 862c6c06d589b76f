"""What was sampled survives what threads survive: another process, other code, long pauses; or it is only a prompt."""

import asyncio
import gc
import json
import logging
import math
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from agent import prompt
from agent.chat import Episode, PolicyChatModel
from agent.chat.families.family import Family
from agent.chat.messages import CallPart, MessageContent
from agent.chat.record.sample_store import SampleStore, digest
from agent.encoder import Encoder
from agent.policies.policy import Completion
from tests.agent.chat.record.resuming import Spelling, go_on
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

ROOT = Path(__file__).parents[4]
ANSWER = "<think>Look 1.</think><answer>cystic</answer>"


def asked(store: ImageStore, scan: MedicalImage, text: str = "What is it?") -> HumanMessage:
    return HumanMessage([{"type": "image", "file_id": store.put(scan)}, {"type": "text", "text": text}])


def in_another_process(folder: Path, messages: int, *said: str) -> list[list[int]]:
    """As `go_on`, in a process whose system prompt is another one."""
    command = [sys.executable, str(Path(__file__).with_name("resuming.py")), str(folder), str(messages), *said]
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=paths, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_thread_goes_on_token_for_token_in_another_process(tmp_path: Path, scan: MedicalImage) -> None:
    """After a pause, and from an old checkpoint: the prompts are those that the first process would have given."""
    here, there, forked = (tmp_path / name for name in ("here", "there", "forked"))
    question = {"messages": [asked(ImageStore(here / "images"), scan)]}
    started = asyncio.run(go_on(here, [question, "Sure?"]))
    for other in (there, forked):
        shutil.copytree(here, other)
    resumed = in_another_process(there, 0, "Really?", "And now?")
    other_way = in_another_process(forked, 2, "Why?")

    expected: list[list[int]] = []

    async def one_process() -> None:  # the same thread, never interrupted
        nonlocal expected
        folder = tmp_path / "whole"
        question = {"messages": [asked(ImageStore(folder / "images"), scan)]}
        expected = await go_on(folder, [question, "Sure?", "Really?", "And now?"])

    asyncio.run(one_process())
    assert started == expected[:2]
    assert resumed[0] == expected[2]
    length = len(expected[2])
    assert resumed[1][:length] == expected[2]
    assert other_way[0][: len(expected[0]) + 10] == expected[1][: len(expected[0]) + 10]
    files = [*(here / "images" / "samples").rglob("*.*")]
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    # without the samples the new process speaks with its own system prompt, and tokenises what was said
    shutil.rmtree(forked / "images" / "samples")
    anew = in_another_process(forked, 2, "Why?")
    assert anew[0][:20] != expected[1][:20] and anew[0] != other_way[0]


class Remembering:
    """A chat model on a store, as a process that has just begun has it."""

    def __init__(self, family: Family, store: ImageStore) -> None:
        self.policy = Spelling(family)
        self.model = PolicyChatModel(policy=self.policy, family=family, store=store, context=10**6)

    def ask(self, *messages: BaseMessage) -> AIMessage:
        return self.model.invoke(list(messages))


Begin = Callable[[], Remembering]


@pytest.fixture
def begin(family: Family, store: ImageStore) -> Begin:
    return lambda: Remembering(family, store)


def files(store: ImageStore) -> list[Path]:
    return sorted((store.folder / "samples").rglob("*.zlib"), key=lambda path: path.stat().st_mtime_ns)


def test_whatever_history_a_turn_stands_in_it_is_found_again(
    begin: Begin, store: ImageStore, scan: MedicalImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversation, a summary of it that quotes its last turn, and two samples of one prompt."""
    one = begin()
    question, more, summary = asked(store, scan), HumanMessage("Sure?"), SystemMessage("It was asked before.")
    first, twin = one.ask(question), one.ask(question)
    second = one.ask(question, first, more)
    third = one.ask(summary, question, second, more)
    histories = [[question, first, more], [question, twin, more], [summary, question, second, more, third, more]]
    for history in histories:
        one.ask(*history)
    monkeypatch.setattr(prompt, "RESEARCH_USE", "Another version.")
    other = begin()
    other.ask(question)  # that nobody was answered: it is rendered as it now is
    for history in histories:
        other.ask(*history)
    assert other.policy.prompts[1:] == one.policy.prompts[4:]
    assert "Another version." in one.policy.encoder.decode(other.policy.prompts[0])


def test_what_was_forgotten_in_memory_is_found_again(begin: Begin, store: ImageStore, scan: MedicalImage) -> None:
    one, other = begin(), begin()
    other.model._remembered = Episode(keep=2, samples=SampleStore(store.folder / "samples"))  # pyright: ignore[reportPrivateUsage]
    for each in (one, other):
        history: list[BaseMessage] = [asked(store, scan)]
        for _ in range(7):
            history += [each.ask(*history), HumanMessage("Sure?")]
    assert one.policy.prompts == other.policy.prompts


def test_rows_of_a_new_episode_mask_what_older_ones_sampled(family: Family, store: ImageStore) -> None:
    samples, policy = SampleStore(store.folder / "samples"), Spelling(family)
    model = PolicyChatModel(policy=policy, family=family, store=store)
    question, more = HumanMessage("What is it?"), HumanMessage("Sure?")
    with Episode(samples=samples).recording():
        first = model.invoke([question])
    with Episode(samples=samples).recording() as later:
        model.invoke([question, first, more])
    (row,) = later.rows()
    assert row.ledger.ids[: len(policy.prompts[1])] == tuple(policy.prompts[1])
    assert [(each.start, each.end) for each in row.ledger.sampled] == [(len(policy.prompts[1]), len(row.ledger.ids))]
    with Episode().recording():
        model.invoke([question])
    assert len(files(store)) == 2  # an episode keeps nothing unless it is told to


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def of_another(path: Path) -> None:
    plain = json.loads(zlib.decompress(path.read_bytes()))
    plain["call"][0] = "sample-" + "0" * 32
    path.write_bytes(zlib.compress(json.dumps(plain).encode()))


def in_a_circle(path: Path) -> None:
    plain = json.loads(zlib.decompress(path.read_bytes()))
    plain["behind"] = plain["call"][0]
    path.write_bytes(zlib.compress(json.dumps(plain).encode()))


def another_shape(path: Path) -> None:
    path.write_bytes(zlib.compress(b'["a list"]'))


@pytest.mark.parametrize("harm", [Path.unlink, emptied, cut, of_another, in_a_circle, another_shape])
@pytest.mark.parametrize("which", [0, 1])
def test_a_sample_that_is_lost_is_a_prompt_and_the_log_says_so(
    begin: Begin, store: ImageStore, harm: Callable[[Path], Any], which: int, caplog: pytest.LogCaptureFixture
) -> None:
    one = begin()
    history: list[BaseMessage] = [HumanMessage("What is it?")]
    for _ in range(2):
        history += [one.ask(*history), HumanMessage("Sure?")]
    one.ask(*history)
    harm(files(store)[which])
    other = begin()
    with caplog.at_level(logging.WARNING):
        said = other.ask(*history)
        other.ask(*history, said, HumanMessage("Sure?"))
    (again, _) = other.policy.prompts
    decode = one.policy.encoder.decode
    assert decode(again) == decode(one.policy.prompts[2])  # the same words
    assert again != one.policy.prompts[2]  # in the tokenizer's ids
    if harm is not in_a_circle:
        assert "its turn is read as a prompt, never trained" in caplog.text
        assert 1 <= len(caplog.records) <= 2  # once, not with every turn


@pytest.mark.parametrize("name", ["sample-../../../etc/passwd", "sample-1", "mine", "sample-" + "g" * 32])
def test_a_message_cannot_name_another_file(tmp_path: Path, name: str) -> None:
    assert SampleStore(tmp_path).get(name) is None


def test_ids_alone_are_not_believed(begin: Begin) -> None:
    """A message that carries a sample's id and says something else is a prompt."""
    one, other = begin(), begin()
    question, more = HumanMessage("What is it?"), HumanMessage("Sure?")
    first = one.ask(question)
    other.ask(question, first.model_copy(update={"content": "solid"}), more)
    assert "<answer>solid</answer>" in one.policy.encoder.decode(other.policy.prompts[0])


def test_every_value_comes_back(family: Family, tmp_path: Path) -> None:
    from agent.chat.record.episode import new_sample
    from agent.chat.record.policy_calls import PolicyCall

    said = MessageContent("assistant", ("a\ud800",), "thought", (CallPart("zoom_in", "{}"),), ("{bad",))
    call = PolicyCall(new_sample(), "read", ("tag",), "outer|inner", True, True)
    done = Completion((1, 2), (-0.1, math.nan), "length", ("a", "b"), None)
    samples = SampleStore(tmp_path)
    episode = Episode(samples=samples)
    at = episode.locate([(MessageContent("user", ("What?",)), None)], family, [], lambda _: None)  # pyright: ignore[reportArgumentType]
    episode.record(at, done, said, call, malformed=True)
    found = samples.get(call.sample)
    assert found is not None
    assert (found.call, found.said, found.malformed) == (call, said, True)
    assert found.completion.token_ids == done.token_ids and math.isnan(found.completion.logprobs[1])
    assert (found.completion.versions, found.completion.finish_reason) == (("a", "b"), "length")
    (piece,) = found.pieces
    assert not isinstance(piece, str)
    assert (piece.tokens, piece.before, found.behind) == (at.tokens, at.before, None)
    assert piece.key == digest([MessageContent("user", ("What?",))], "[]")


def test_an_image_is_one_placeholder_on_disk(begin: Begin, store: ImageStore) -> None:
    one = begin()
    large = MedicalImage(np.zeros((1024, 1024), np.uint8))
    said = one.ask(asked(store, large))
    assert said.usage_metadata is not None
    assert said.usage_metadata["input_tokens"] > len(one.policy.prompts[0]) + 10
    plain = json.loads(zlib.decompress(files(store)[0].read_bytes()))
    (piece,) = plain["pieces"]
    assert "ids" not in piece
    assert len(piece["prompt"]) == len(one.policy.prompts[0])
    assert files(store)[0].stat().st_size < 1500


def test_a_temporary_store_takes_its_samples_with_it(family: Family, encoder: Encoder) -> None:
    model = PolicyChatModel(policy=Spelling(encoder), family=family)
    model.invoke("What?")
    (file,) = files(model.image_store)
    del model
    gc.collect()
    assert not file.exists()
