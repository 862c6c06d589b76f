"""The engine policy over an engine with vLLM's shapes: a RequestOutput with one CompletionOutput."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from agent.policies.engine import EnginePolicy
from agent.policies.policy import Completion, PolicyError, Sampling
from agent.policies.sampling_params import sampling_params


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class CompletionOutput:
    token_ids: list[int]
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str | None = "stop"


@dataclass
class RequestOutput:
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]


class Params(SimpleNamespace):
    """vLLM's SamplingParams: any fields."""


@dataclass
class Engine:
    output: RequestOutput | None
    asked: list[tuple[list[int], Any, Any]] = field(default_factory=list)

    async def generate(self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: Any = None) -> Any:
        self.asked.append((prompt_token_ids, sampling_params, multi_modal_data))
        return self.output


GREY = Image.new("L", (8, 8))
OPENRLHF = Params(temperature=0.7, top_p=0.8, top_k=-1, max_tokens=1024, min_tokens=1, logprobs=1)
SOUND = CompletionOutput([5, 6], [{5: Logprob(-0.5), 1: Logprob(-0.1)}, {6: Logprob(-0.25)}])


def ask(output: RequestOutput | None, sampling: Sampling | None = None) -> tuple[Completion, Engine]:
    engine = Engine(output)
    policy = EnginePolicy(engine, OPENRLHF, lambda: "v1")
    return asyncio.run(policy.generate((1, 9, 2), [GREY], sampling or Sampling())), engine


def test_ids_and_their_own_log_probabilities_come_back() -> None:
    completion, _ = ask(RequestOutput([1, 9, 9, 9, 9, 2], [SOUND]))
    assert completion == Completion((5, 6), (-0.5, -0.25), "stop", ("v1",), prompt_tokens=6)


def test_a_turn_is_sampled_as_it_was_asked_and_as_nothing_else_says() -> None:
    asked = Sampling(0.5, 0.9, 12, 3, (9, 8), 0.02, alternatives=4)
    _, engine = ask(RequestOutput([1], [SOUND]), asked)
    ids, params, pictures = engine.asked[0]
    assert ids == [1, 9, 2]
    assert params == Params(**sampling_params(asked))
    assert (params.temperature, params.top_p, params.min_p, params.seed) == (0.5, 0.9, 0.02, 3)
    assert (params.top_k, params.min_tokens, params.repetition_penalty, params.logprobs) == (0, 0, 1.0, 4)
    assert params.logit_bias == {9: -100.0, 8: -100.0}
    assert [image.mode for image in pictures["image"]] == ["RGB"]


def test_a_prompt_without_images_sends_none() -> None:
    engine = Engine(RequestOutput([1], [SOUND]))
    asyncio.run(EnginePolicy(engine, OPENRLHF, lambda: "v1").generate([1], [], Sampling()))
    assert engine.asked[0][2] is None


def test_a_turn_cut_by_length_says_so() -> None:
    completion, _ = ask(RequestOutput([1], [CompletionOutput([5], [{5: Logprob(-0.5)}], "length")]))
    assert completion.finish_reason == "length"


def test_a_swap_in_flight_names_both_versions() -> None:
    versions = iter(["v1", "v2"])
    policy = EnginePolicy(Engine(RequestOutput([1], [SOUND])), OPENRLHF, lambda: next(versions))
    assert asyncio.run(policy.generate([1], [], Sampling())).versions == ("v1", "v2")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (None, "returned no output"),
        (RequestOutput([1], []), "returned no output"),
        (RequestOutput([1], [CompletionOutput([5], None)]), "no log-probabilities"),
        (RequestOutput([1], [CompletionOutput([5, 6], [{5: Logprob(-0.5)}])]), "1 log-probabilities for 2 sampled ids"),
        (RequestOutput([1], [CompletionOutput([5], [{6: Logprob(-0.5)}])]), "0 log-probabilities for 1 sampled ids"),
        (RequestOutput([1], [CompletionOutput([5], [{5: Logprob(-0.5)}], "abort")]), "'abort'"),
        (RequestOutput([1], [CompletionOutput([5], [{5: Logprob(-0.5)}], None)]), "None"),
    ],
)
def test_what_is_no_whole_completion_is_refused(output: RequestOutput | None, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        ask(output)
