"""Our executor, loaded as OpenRLHF loads it, and an engine with vLLM's shapes."""

import asyncio
import importlib.util
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from agent.encoder import Encoder
from rl.config import Config, dump
from rl.tasks.task import Task
from rl.training.trainers.openrlhf.command import EXECUTOR, RUN_FOLDER
from tools.images.store import ImageStore

Gallery = tuple[ImageStore, list[Task]]


@dataclass
class Logprob:
    logprob: float


@dataclass
class CompletionOutput:
    token_ids: list[int]
    logprobs: list[dict[int, Logprob]]
    finish_reason: str


@dataclass
class RequestOutput:
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]


class Params(SimpleNamespace):
    """vLLM's SamplingParams, as OpenRLHF fills them in and as we do."""

    max_tokens: int | None = None
    logprobs: int | None = 1


class Engine:
    """Plays turns in order, like the rollout actor's engine: it expands one placeholder into each image's run.

    The k-th id of a turn has the log-probability -0.1 * (k + 1). `miscounted` placeholders more are said to have been
    in the prompt; `stray` ids stand after a turn's first.
    """

    def __init__(self, turns: Sequence[str], encoder: Encoder, miscounted: int = 0, stray: Sequence[int] = ()) -> None:
        self.turns, self.encoder, self.miscounted, self.stray = list(turns), encoder, miscounted, list(stray)
        self.asked = 0

    async def generate(self, prompt_token_ids: list[int], sampling_params: Params, multi_modal_data: Any = None) -> Any:
        images: list[Image.Image] = multi_modal_data["image"]
        expanded: list[int] = []
        for token in prompt_token_ids:
            runs = token == self.encoder.image_pad
            expanded += [token] * (self.encoder.placeholders(self.encoder.grid(images.pop(0))) if runs else 1)
        assert not images
        ids, _ = self.encoder.encode(self.turns[self.asked % len(self.turns)] + "<|im_end|>")
        self.asked += 1
        ids = [ids[0], *self.stray, *ids[1:]]
        assert sampling_params.max_tokens is not None
        cut = ids[: sampling_params.max_tokens]
        logprobs = [{token: Logprob(-0.1 * (place + 1)), 0: Logprob(-9.0)} for place, token in enumerate(cut)]
        reason = "stop" if len(cut) == len(ids) else "length"
        return RequestOutput(expanded + [0] * self.miscounted, [CompletionOutput(cut, logprobs, reason)])


@pytest.fixture
def run(tmp_path: Path, gallery: Gallery, processor: Any) -> Path:
    """A run's folder, as far as an executor needs it."""
    config = Config.model_validate({"name": "test", "rl": {"prompts_per_step": 2, "samples_per_prompt": 1}})
    (tmp_path / "config.yaml").write_text(dump(config))
    (tmp_path / "images").symlink_to(gallery[0].folder)
    processor.save_pretrained(tmp_path / "checkpoints" / "base")
    return tmp_path


@pytest.fixture
def executor(run: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An executor made as OpenRLHF 0.11.2 makes it: from the file, without arguments."""
    from openrlhf.utils.agent import AgentExecutorBase

    monkeypatch.setenv(RUN_FOLDER, str(run))
    spec = importlib.util.spec_from_file_location("agent_module", EXECUTOR)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert issubclass(module.AgentExecutor, AgentExecutorBase)
    return module.AgentExecutor()


@pytest.fixture
def execute(executor: Any) -> Callable[..., dict[str, Any]]:
    places = itertools.count()

    def executed(task: Task, engine: Engine, params: Params | None = None) -> dict[str, Any]:
        label = json.dumps({"place": next(places), "task": task.to_plain()})
        return asyncio.run(executor.execute(task.question, label, params or Params(), 512, None, engine))

    return executed
