"""A real vLLM server on a tiny Qwen3-VL: exact answers, swaps under load, bad checkpoints, and no trace when it stops.

One server for the whole file. What is right comes from transformers, on the same weights. Times are printed (with
`-s`), not asserted.
"""

import asyncio
import dataclasses
import math
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from agent.policies.policy import Completion, PolicyError, Sampling
from agent.policies.served import ContextFull, ServedPolicy
from agent.serving import engine_control, swap
from agent.serving.checkpoint import Checkpoint, publish
from agent.serving.engine_control import PauseMode
from agent.serving.files import CheckpointError
from agent.serving.key import authorization, key_file
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerError, ServerOptions
from agent.serving.server_record import find_server
from agent.serving.swap import SwapError, hot_swap
from agent.serving.validation import validate
from agent.serving.versions import RecordedVersions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

VISION_START, VISION_END, PLACEHOLDER, VIDEO = 3, 4, 5, 6
PROMPT = [*range(50, 140), VISION_START, PLACEHOLDER, VISION_END, *range(140, 180), 2, 1]
"""Longer than a block of the key-value cache (128 ids on CPU), the picture in the first block: so a prefix with a
picture is there to be reused, or to be stale."""
GREEDY = Sampling(temperature=0.0, max_tokens=12, banned=(2, PLACEHOLDER, VIDEO))
LONG = Sampling(temperature=1.0, max_tokens=96, banned=(2, PLACEHOLDER, VIDEO))
PICTURES = [
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (112, 112, 3), dtype=np.uint8)) for seed in range(4)
]
EXPANDED = len(PROMPT) - 1 + 16
"""A 112 x 112 picture at patch 14 is 8 x 8 patches, merged 2 x 2: 16 placeholders."""


@pytest.fixture(scope="module")
def checkpoints(tiny_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    """The two tiny models, published; `b` without an image processor of its own, as OpenRLHF saves it."""
    folder = tmp_path_factory.mktemp("published")
    trained = folder / "trained"
    shutil.copytree(tiny_folders["b"], trained)
    (trained / "processor_config.json").unlink()
    versions = folder / "versions"
    return {
        "a": publish(tiny_folders["a"], versions, "a", None, {}),
        "b": publish(trained, versions, "b", "a", {}, settings_from=tiny_folders["a"]),
    }


@pytest.fixture(scope="module")
def server(checkpoints: dict[str, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLMServer]:
    """The server, with checkpoint `a` at first."""
    folder = tmp_path_factory.mktemp("server") / "state"
    options = ServerOptions(environment={"OMP_NUM_THREADS": "1"})
    with VLLMServer(checkpoints["a"], options, log=folder / "server.log", record=folder / "server.json") as server:
        yield server


@pytest.fixture(scope="module")
def reference(checkpoints: dict[str, Checkpoint]) -> Callable[[str, Image.Image, list[int]], np.ndarray[Any, Any]]:
    """`reference(version, picture, sampled)`: transformers' logits for the sampled ids, (len(sampled), vocabulary)."""
    from agent.serving.cpu.torchvision_operators import prepare

    prepare()
    import torch
    from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

    models = {
        name: Qwen3VLForConditionalGeneration.from_pretrained(checkpoint.folder, dtype=torch.float32)
        for name, checkpoint in checkpoints.items()
    }
    processor = AutoProcessor.from_pretrained(checkpoints["a"].folder)

    def logits(version: str, picture: Image.Image, sampled: list[int]) -> np.ndarray[Any, Any]:
        at = PROMPT.index(PLACEHOLDER)
        pixels = processor.image_processor(images=[picture], return_tensors="pt")
        count = int(pixels["image_grid_thw"].prod()) // 4
        ids = torch.tensor([[*PROMPT[:at], *[PLACEHOLDER] * count, *PROMPT[at + 1 :], *sampled]])
        with torch.no_grad():
            types = (ids == PLACEHOLDER).int()
            output = models[version](input_ids=ids, mm_token_type_ids=types, **pixels).logits[0]
        return output[ids.shape[1] - len(sampled) - 1 : -1].numpy()

    return logits


@pytest.fixture(scope="module")
def right(reference: Callable[[str, Image.Image, list[int]], np.ndarray[Any, Any]]) -> dict[str, list[tuple[int, ...]]]:
    """The greedy answer for each picture, by version, as transformers gives it."""

    def answer(version: str, picture: Image.Image) -> tuple[int, ...]:
        sampled: list[int] = []
        for _ in range(GREEDY.max_tokens):
            logits = reference(version, picture, [*sampled, 0])[-1]
            logits[list(GREEDY.banned)] = -math.inf
            sampled.append(int(logits.argmax()))
        return tuple(sampled)

    return {version: [answer(version, picture) for picture in PICTURES] for version in ("a", "b")}


async def _greedy(server: VLLMServer) -> list[tuple[int, ...]]:
    async with ServedPolicy(server.base_url, server.versions) as policy:
        answers = await asyncio.gather(*(policy.generate(PROMPT, [picture], GREEDY) for picture in PICTURES))
    return [answer.token_ids for answer in answers]


def _get(server: VLLMServer, path: str) -> httpx.Response:
    return httpx.get(f"{server.base_url}{path}", headers=authorization(server.base_url), trust_env=False)


async def _ensure(server: VLLMServer, checkpoint: Checkpoint) -> None:
    if server.checkpoint.version != checkpoint.version:
        await hot_swap(server, checkpoint)


def _log_probabilities(logits: np.ndarray[Any, Any], banned: tuple[int, ...]) -> np.ndarray[Any, Any]:
    logits = logits.astype(np.float64)
    logits[:, list(banned)] -= 100.0
    logits -= logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


async def test_greedy_tokens_and_log_probabilities_are_those_of_transformers(
    server: VLLMServer,
    checkpoints: dict[str, Checkpoint],
    right: dict[str, list[tuple[int, ...]]],
    reference: Callable[[str, Image.Image, list[int]], np.ndarray[Any, Any]],
) -> None:
    await _ensure(server, checkpoints["a"])
    assert all(ours != theirs for ours, theirs in zip(right["a"], right["b"], strict=True))
    assert len(set(right["a"])) > 1 < len(set(right["b"]))  # the picture matters
    assert await _greedy(server) == right["a"]
    async with ServedPolicy(server.base_url, server.versions) as policy:
        completion = await policy.generate(PROMPT, [PICTURES[0]], LONG)
    expected = _log_probabilities(reference("a", PICTURES[0], list(completion.token_ids)), LONG.banned)
    picked = expected[np.arange(len(completion.token_ids)), list(completion.token_ids)]
    difference = np.abs(picked - np.array(completion.logprobs))
    print(f"\nlog-probabilities, vLLM and transformers: mean {difference.mean():.1e}, max {difference.max():.1e}")
    assert difference.max() < 1e-3
    assert (completion.prompt_tokens, completion.versions) == (EXPANDED, ("a",))
    assert (completion.finish_reason, len(completion.token_ids)) == ("length", 96)


async def test_a_seed_gives_the_same_sample_and_a_banned_id_is_not_sampled(
    server: VLLMServer, checkpoints: dict[str, Checkpoint], right: dict[str, list[tuple[int, ...]]]
) -> None:
    await _ensure(server, checkpoints["a"])
    async with ServedPolicy(server.base_url, server.versions) as policy:
        seeded = dataclasses.replace(LONG, seed=7)
        samples = [(await policy.generate(PROMPT, [PICTURES[0]], seeded)).token_ids for _ in range(2)]
        favourite = right["a"][0][0]
        without = dataclasses.replace(GREEDY, banned=(*GREEDY.banned, favourite))
        completion = await policy.generate(PROMPT, [PICTURES[0]], without)
    assert samples[0] == samples[1]
    assert favourite not in completion.token_ids


async def test_what_the_server_refuses_is_a_clear_error(server: VLLMServer) -> None:
    async with ServedPolicy(server.base_url, server.versions) as policy:
        with pytest.raises(ContextFull, match="maximum model length of 2048"):
            await policy.generate([40] * 2100, [], GREEDY)
        with pytest.raises(ContextFull, match="maximum model length of 2048"):
            await policy.generate([40] * 2048, [], GREEDY)
        with pytest.raises(PolicyError, match=r"At most 8 image\(s\)"):
            await policy.generate([VISION_START, PLACEHOLDER, VISION_END] * 9, PICTURES[:1] * 9, GREEDY)
        with pytest.raises(PolicyError, match="out of vocabulary"):
            await policy.generate([99999], [], GREEDY)
        last = await policy.generate([40] * 2044, [], GREEDY)
    assert (len(last.token_ids), last.finish_reason) == (4, "length")
    assert server.is_healthy()


async def test_swaps_under_load_fail_no_request_and_give_no_stale_answer(
    server: VLLMServer, checkpoints: dict[str, Checkpoint], right: dict[str, list[tuple[int, ...]]]
) -> None:
    await _ensure(server, checkpoints["a"])
    policy = ServedPolicy(server.base_url, server.versions)
    done: list[tuple[int, Completion]] = []
    failed: list[PolicyError] = []
    stop = asyncio.Event()

    async def ask_again_and_again(worker: int) -> None:
        picture, sampling = worker % len(PICTURES), LONG if worker % 2 else GREEDY
        while not stop.is_set():
            try:
                completion = await policy.generate(PROMPT, [PICTURES[picture]], sampling)
            except PolicyError as error:
                failed.append(error)
                continue
            assert completion.prompt_tokens == EXPANDED
            if sampling is GREEDY:
                done.append((picture, completion))
            elif len(completion.versions) > 1:
                mixed.append(completion)

    mixed: list[Completion] = []
    workers = [asyncio.create_task(ask_again_and_again(worker)) for worker in range(16)]
    modes: list[PauseMode] = ["keep", "keep", "wait", "keep", "wait", "keep"]
    for number, mode in enumerate(modes):
        await asyncio.sleep(1.0)
        name = "b" if number % 2 == 0 else "a"
        result = await hot_swap(server, checkpoints[name], mode)
        assert (result.version, server.versions.live) == (name, name)
        assert await _greedy(server) == right[name]
        print(
            f"\nswap to {name} ({mode}), 16 requests at a time: paused {result.seconds:.3f} s, "
            f"pause to first token {result.pause_to_first_token:.3f} s, validated in {result.validation_seconds:.3f} s",
            end="",
        )
    stop.set()
    await asyncio.gather(*workers)
    await policy.aclose()

    assert failed == []
    pure = [(picture, answer) for picture, answer in done if len(answer.versions) == 1]
    stale = [pair for pair in pure if pair[1].token_ids != right[pair[1].versions[0]][pair[0]]]
    print(
        f"\n{len(done)} greedy answers, {len(pure)} of one version, stale: {len(stale)}; {len(mixed)} mixed long ones"
    )
    assert stale == []
    assert {answer.versions for _, answer in pure} == {("a",), ("b",)}
    assert mixed


async def test_abort_ends_running_requests_with_a_clear_error(
    server: VLLMServer,
    checkpoints: dict[str, Checkpoint],
    right: dict[str, list[tuple[int, ...]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await _ensure(server, checkpoints["a"])
    running: list[asyncio.Task[None]] = []
    begun = asyncio.Event()

    async def ask(policy: ServedPolicy, seed: int) -> None:
        if seed % STREAMED_OF:
            await policy.generate([40], [], _very_long(seed))
            return
        async for _ in policy.stream([40], [], _very_long(seed)):
            begun.set()

    async with ServedPolicy(server.base_url, server.versions) as policy:

        async def are_under_way() -> None:
            running.extend(asyncio.create_task(ask(policy, seed)) for seed in range(MANY))
            await begun.wait()

        loop = asyncio.get_running_loop()

        def validated_then_busy(new: Checkpoint, old: Checkpoint) -> None:
            """However long validation takes, the requests are under way at the pause."""
            validate(new, old)
            asyncio.run_coroutine_threadsafe(are_under_way(), loop).result()

        monkeypatch.setattr(swap, "validate", validated_then_busy)
        await hot_swap(server, checkpoints["b"], "abort")
        outcomes = await asyncio.gather(*running, return_exceptions=True)
    aborted = ["finish reason 'abort'" in str(outcome) for outcome in outcomes]
    print(f"\n{sum(aborted)} of {MANY} requests were aborted, {outcomes.count(None)} had ended before")
    assert any(aborted[::STREAMED_OF])
    assert any(aborted[1::STREAMED_OF])
    assert [
        outcome for outcome, known in zip(outcomes, aborted, strict=True) if not known and outcome is not None
    ] == []
    assert await _greedy(server) == right["b"]


MANY, STREAMED_OF = 64, 4
"""Four times as many requests as the server runs at once, every fourth of them streamed: the engine, which goes on
while the pause is on its way, has not got through them by then. With more streams the pause would come later itself."""


def _very_long(seed: int) -> Sampling:
    return Sampling(temperature=1.0, max_tokens=2000, seed=seed, banned=(2, PLACEHOLDER, VIDEO))


async def test_the_record_and_the_engine_name_the_live_version(
    server: VLLMServer, checkpoints: dict[str, Checkpoint]
) -> None:
    assert server.log is not None
    path = server.log.parent / "server.json"
    elsewhere = RecordedVersions(path)
    await _ensure(server, checkpoints["b"])
    await hot_swap(server, checkpoints["a"])
    record = find_server(path)
    assert record is not None
    assert (record.base_url, record.checkpoint) == (server.base_url, str(checkpoints["a"].folder))
    assert elsewhere.history() == record.versions == server.versions.history()
    assert _get(server, "/weight_info").json() == {"weight_version": "a"}


Spoil = Callable[[Path], None]


def _spoil_weights(change: Callable[[dict[str, Any]], None]) -> Spoil:
    def spoil(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return spoil


def _nan(weights: dict[str, Any]) -> None:
    weights["lm_head.weight"][0, 0] = math.nan


def _cut(weights: dict[str, Any]) -> None:
    weights["lm_head.weight"] = weights["lm_head.weight"][:, :-1].contiguous()


def _other_tokenizer(folder: Path) -> None:
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace('"image"', '"imag"').replace('"Ġin"', '"Ġni"'))


def _truncate(folder: Path) -> None:
    (folder / "model.safetensors").chmod(0o644)
    os.truncate(folder / "model.safetensors", 100_000)


def _remove(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


BAD: dict[str, tuple[Spoil | None, Spoil | None, str]] = {
    "truncated": (None, _truncate, "truncated"),
    "wrong-shape": (_spoil_weights(_cut), None, r"lm_head\.weight is F32"),
    "not-a-number": (_spoil_weights(_nan), None, r"NaN or infinity in lm_head\.weight"),
    "missing-file": (None, _remove, r"without model\.safetensors"),
    "wrong-tokenizer": (_other_tokenizer, None, "a tokenizer of"),
}
"""What is done before the checkpoint is published, what afterwards, and what is then said."""


@pytest.fixture
def spoilt(tiny_folders: dict[str, Path], tmp_path: Path) -> Callable[[str], Checkpoint]:
    """Publishes a bad checkpoint by its name in BAD."""

    def make(name: str) -> Checkpoint:
        before, after, _ = BAD[name]
        shutil.copytree(tiny_folders["b"], tmp_path / "source")
        if before is not None:
            before(tmp_path / "source")
        checkpoint = publish(tmp_path / "source", tmp_path / "versions", name, "a", {})
        if after is not None:
            after(checkpoint.folder)
        return checkpoint

    return make


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_checkpoint_never_reaches_the_server(
    server: VLLMServer,
    checkpoints: dict[str, Checkpoint],
    right: dict[str, list[tuple[int, ...]]],
    spoilt: Callable[[str], Checkpoint],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    await _ensure(server, checkpoints["a"])
    told: list[str] = []

    async def pause(client: httpx.AsyncClient, mode: PauseMode) -> None:
        told.append(mode)

    monkeypatch.setattr(engine_control, "pause", pause)
    with pytest.raises(CheckpointError, match=BAD[name][2]):
        await hot_swap(server, spoilt(name))
    assert told == []
    assert server.versions.live == "a"
    assert await _greedy(server) == right["a"]


@pytest.mark.parametrize("name", ["wrong-shape", "missing-file"])
async def test_a_failure_after_the_pause_rolls_back(
    server: VLLMServer,
    checkpoints: dict[str, Checkpoint],
    right: dict[str, list[tuple[int, ...]]],
    spoilt: Callable[[str], Checkpoint],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    await _ensure(server, checkpoints["a"])

    def blind(new: Checkpoint, served: Checkpoint) -> None:
        """Let everything through, as if validation had a hole."""

    monkeypatch.setattr(swap, "validate", blind)
    with pytest.raises(SwapError, match=r"failed after the pause: got HTTP 500 .*\n.*a is live again"):
        await hot_swap(server, spoilt(name))
    assert server.versions.live == "a"
    assert _get(server, "/is_paused").json() == {"is_paused": False}
    assert await _greedy(server) == right["a"]


@pytest.mark.parametrize("step", ["reload_weights", "forget_old_weights", "name_version", "resume"])
async def test_a_step_without_an_answer_rolls_back(
    server: VLLMServer,
    checkpoints: dict[str, Checkpoint],
    right: dict[str, list[tuple[int, ...]]],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    await _ensure(server, checkpoints["a"])
    real, calls = getattr(engine_control, step), 0

    async def done_but_first_answer_lost(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        await real(*arguments)
        if calls == 1:
            raise engine_control.EngineRefused("no answer")

    monkeypatch.setattr(engine_control, step, done_but_first_answer_lost)
    with pytest.raises(SwapError, match="no answer\na is live again"):
        await hot_swap(server, checkpoints["b"])
    assert server.versions.live == "a"
    assert await _greedy(server) == right["a"]


async def test_a_failing_probe_rolls_back(
    server: VLLMServer,
    checkpoints: dict[str, Checkpoint],
    right: dict[str, list[tuple[int, ...]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await _ensure(server, checkpoints["a"])
    before, good = server.versions.history(), [VISION_START, PLACEHOLDER, VISION_END]
    restore = swap._Engine.restore

    async def mended(engine: swap._Engine, checkpoint: Checkpoint) -> None:
        engine.prompt = good
        await restore(engine, checkpoint)

    monkeypatch.setattr(swap, "image_prompt", lambda _folder: [40])  # a picture without a placeholder is refused
    monkeypatch.setattr(swap._Engine, "restore", mended)
    with pytest.raises(SwapError, match=r"failed after the pause(.|\n)*a is live again"):
        await hot_swap(server, checkpoints["b"])
    assert server.versions.history() == before  # nobody was answered by what failed
    assert await _greedy(server) == right["a"]


def _explode(weights: dict[str, Any]) -> None:
    for tensor in weights.values():
        tensor.mul_(1e30)


async def test_weights_that_explode_harm_no_request_in_flight_or_later(
    server: VLLMServer,
    checkpoints: dict[str, Checkpoint],
    tiny_folders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Finite weights, so they pass validation; what they compute is NaN, in a memory that the old weights use again."""
    await _ensure(server, checkpoints["a"])
    shutil.copytree(tiny_folders["b"], tmp_path / "source")
    _spoil_weights(_explode)(tmp_path / "source")
    exploding = publish(tmp_path / "source", tmp_path / "versions", "exploding", "a", {})
    sampling = dataclasses.replace(GREEDY, max_tokens=400)
    begun = asyncio.Event()

    async def ask(number: int) -> Completion:
        """The answer to one of 48 prompts, none of which begins like another."""
        prompt, pictures = [50 + number, *PROMPT], [PICTURES[number % len(PICTURES)]]
        async with ServedPolicy(server.base_url, server.versions) as policy:
            if number % STREAMED_OF:
                return await policy.generate(prompt, pictures, sampling)
            async for part in policy.stream(prompt, pictures, sampling):
                if isinstance(part, Completion):
                    return part
                begun.set()
        raise AssertionError("a stream ended without a completion")

    expected = await asyncio.gather(*(ask(number) for number in range(48)))
    in_flight: list[asyncio.Task[Completion]] = []
    begun.clear()

    async def are_under_way() -> None:
        in_flight.extend(asyncio.create_task(ask(number)) for number in range(24))
        await begun.wait()

    loop = asyncio.get_running_loop()

    def validated_then_busy(new: Checkpoint, old: Checkpoint) -> None:
        validate(new, old)
        asyncio.run_coroutine_threadsafe(are_under_way(), loop).result()

    pause, at_the_pause = engine_control.pause, list[int]()

    async def counted_pause(client: httpx.AsyncClient, mode: PauseMode) -> None:
        at_the_pause.append(sum(not task.done() for task in in_flight))
        await pause(client, mode)

    monkeypatch.setattr(engine_control, "pause", counted_pause)
    monkeypatch.setattr(swap, "validate", validated_then_busy)
    with pytest.raises(SwapError, match=r"(?s)to exploding failed after the pause.*a is live again"):
        await hot_swap(server, exploding)
    answers = await asyncio.gather(*in_flight, *(ask(number) for number in range(24, 48)), return_exceptions=True)
    assert at_the_pause[0] >= 4  # of 24: how many end before the pause is the machine's load
    assert [str(answer) for answer in answers if not isinstance(answer, Completion)] == []
    completions = [answer for answer in answers if isinstance(answer, Completion)]
    assert [each.token_ids for each in completions] == [each.token_ids for each in expected]
    assert {each.versions for each in completions} == {("a",)}


async def test_a_cancelled_swap_does_not_leave_the_server_paused(
    server: VLLMServer,
    checkpoints: dict[str, Checkpoint],
    right: dict[str, list[tuple[int, ...]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await _ensure(server, checkpoints["a"])
    reload, reached = engine_control.reload_weights, asyncio.Event()

    async def slow(client: httpx.AsyncClient, folder: Path) -> None:
        if folder == checkpoints["b"].folder:
            reached.set()
            await asyncio.sleep(60)
        await reload(client, folder)

    monkeypatch.setattr(engine_control, "reload_weights", slow)
    swapping: Awaitable[Any] = asyncio.create_task(hot_swap(server, checkpoints["b"]))
    await reached.wait()
    assert isinstance(swapping, asyncio.Task)
    swapping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await swapping
    assert await _greedy(server) == right["a"]


def _processes(server: VLLMServer) -> list[psutil.Process]:
    assert server.log is not None
    record = find_server(server.log.parent / "server.json")
    assert record is not None
    return [psutil.Process(record.pid), *psutil.Process(record.pid).children(recursive=True)]


def _routes(server: VLLMServer) -> list[tuple[str, str]]:
    """(method, path) of all that vLLM serves, as it says itself in its log."""
    assert server.log is not None
    found = re.findall(r"Route: (\S+), Methods: (.+)$", server.log.read_text(), re.MULTILINE)
    return [(method, re.sub(r"\{.*?\}", "x", path)) for path, methods in found for method in methods.split(", ")]


def test_no_path_answers_without_the_key(server: VLLMServer) -> None:
    routes = _routes(server)
    assert {"/health", "/metrics", "/pause", "/collective_rpc", "/openapi.json", "/inference/v1/generate"} <= {
        path for _, path in routes
    }
    with httpx.Client(base_url=server.base_url, trust_env=False) as client:
        for method, path in [*routes, ("GET", "/"), ("GET", "/nothing"), ("OPTIONS", "/pause")]:
            for shown in ({}, {"authorization": "Bearer wrong"}):
                answer = client.request(method, path, headers=shown)
                assert (method, path, answer.status_code) == (method, path, 401)
        upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        upgrade["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        assert client.get("/v1/realtime", headers=upgrade).status_code in (401, 403)
    assert _get(server, "/is_paused").json() == {"is_paused": False}


def test_a_page_of_another_site_gets_nothing_even_with_the_key(server: VLLMServer) -> None:
    key = authorization(server.base_url)
    with httpx.Client(base_url=server.base_url, headers=key, trust_env=False) as client:
        assert client.get("/weight_info", headers={"host": "evil.example"}).status_code == 421
        assert client.get("/weight_info", headers={"host": "localhost:1"}).status_code == 200
        call = {"content": b'{"method": "repack_output_layer"}', "headers": {"content-type": "text/plain"}}
        assert client.post("/collective_rpc", **call).status_code == 415
        origin = {"origin": "http://evil.example"}
        asking = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        answers = [client.options("/pause", headers=asking), client.get("/health", headers=origin)]
        client.headers.clear()
        answers.append(client.options("/pause", headers=asking))
    assert [answer.headers.get("access-control-allow-origin") for answer in answers] == [None] * 3
    assert not answers[0].is_success
    assert answers[2].status_code == 401


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_what_an_image_url_names_is_never_fetched(server: VLLMServer, tmp_path: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        PICTURES[0].save(tmp_path / "picture.png")
        names = {
            "http": f"http://127.0.0.1:{listener.getsockname()[1]}/x.png",
            "file": f"file://{tmp_path}/picture.png",
        }
        part = {"type": "image_url", "image_url": {"url": names[scheme]}}
        chat = {"model": "policy", "messages": [{"role": "user", "content": [part]}], "max_tokens": 1}
        ids = {"model": "policy", "token_ids": PROMPT, "sampling_params": {"max_tokens": 1}}
        ids["content_parts"] = [{"type": "image_url", "url": names[scheme]}]
        answers = [
            httpx.post(
                f"{server.base_url}{path}",
                json=body,
                headers=authorization(server.base_url),
                timeout=60,
                trust_env=False,
            )
            for path, body in (("/v1/chat/completions", chat), ("/inference/v1/generate", ids))
        ]
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert [answer.is_error for answer in answers] == [True, True]
    assert server.is_healthy()


def test_the_key_is_in_a_file_that_others_cannot_read_and_nowhere_else(server: VLLMServer) -> None:
    assert server.log is not None
    file = key_file(server.base_url)
    key = file.read_text()
    record = server.log.parent / "server.json"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, record, server.log, file.parent, record.parent)]
    assert modes == [0o600, 0o600, 0o600, 0o700, 0o700]
    assert len(_processes(server)) >= 3
    for process in _processes(server):
        assert key not in " ".join(process.cmdline())
        assert key not in " ".join(process.environ().values())
    assert key not in record.read_text()
    assert key not in server.log.read_text()


def test_it_listens_on_loopback_alone(server: VLLMServer) -> None:
    connections = [each for process in _processes(server) for each in process.net_connections("inet")]
    listening = [each.laddr for each in connections if each.status == psutil.CONN_LISTEN]
    assert server.base_url.rpartition(":")[2] in {str(address.port) for address in listening}
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_an_idle_connection_outlasts_the_time_that_clients_keep_one(server: VLLMServer) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in authorization(server.base_url).items())
    asked = f"GET /health HTTP/1.1\r\nhost: localhost\r\n{head}\r\n".encode()
    with socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=60) as connection:
        for waiting in (0.0, 7.0):  # vLLM's own time is 5 s
            time.sleep(waiting)
            connection.sendall(asked)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")


async def test_stopping_leaves_nothing_behind(server: VLLMServer) -> None:
    assert server.log is not None
    processes, key = _processes(server), key_file(server.base_url)
    assert len(processes) >= 3
    temporary = Path(processes[0].environ()["TMPDIR"])
    assert key.exists()
    await asyncio.to_thread(server.stop)
    assert [process for process in processes if process.is_running()] == []
    assert not temporary.exists()
    assert not key.exists()
    assert not (server.log.parent / "server.json").exists()
    assert not server.is_healthy()
    async with ServedPolicy(server.base_url, server.versions) as policy:
        with pytest.raises(PolicyError, match="expected a running vLLM server"):
            await policy.generate([1], [], GREEDY)


def test_a_server_that_cannot_start_says_why(
    checkpoints: dict[str, Checkpoint], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ServerOptions(extra_arguments=("--max-model-len", "99999"))
    server = VLLMServer(checkpoints["a"], options, log=tmp_path / "server.log")
    with pytest.raises(ServerError, match=r"(?s)before it was healthy.*max_model_len \(99999\)"):
        server.start()
    assert not server.is_healthy()
    assert (
        f"Starting vLLM with a, which may take minutes; its log is {tmp_path / 'server.log'}" in capsys.readouterr().err
    )
