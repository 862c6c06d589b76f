"""A checkpoint's generation_config, served by a real vLLM: nothing of it reaches what is sampled."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from agent.chat.record.ledger import Ledger
from agent.encoder import Encoder
from agent.policies.policy import Sampling
from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import publish
from agent.serving.key import authorization
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from rl.training.exactness import Replay
from rl.trajectories.check import training_row
from tests.ledgers import said, shown
from tools.images.store import ImageStore

GREEDY_AND_PENALISED = {"do_sample": True, "top_k": 1, "top_p": 0.5, "temperature": 0.3, "repetition_penalty": 1.3}


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_what_a_checkpoint_recommends_is_not_sampled(
    random_checkpoint: Path, encoder: Encoder, store: ImageStore, tmp_path: Path
) -> None:
    folder = shutil.copytree(random_checkpoint, tmp_path / "leaky")
    config = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(config | GREEDY_AND_PENALISED))
    published = publish(folder, tmp_path / "versions", "leaky", None, {})
    ids, _ = encoder.encode("<|im_start|>user\nIs it round?<|im_end|>\n<|im_start|>assistant\n")
    sampled: dict[float, Ledger] = {}
    async with VLLMServer(published, ServerOptions(max_model_len=512), log=tmp_path / "vllm.log") as server:
        async with ServedPolicy(server.base_url, server.versions) as policy:
            for temperature in (1.0, 0.5):
                how = Sampling(temperature, max_tokens=64, banned=encoder.banned, seed=1)
                sampled[temperature] = said(shown(Ledger(), ids), await policy.generate(ids, [], how))
        chat = {"messages": [{"role": "user", "content": "Is it round?"}], "temperature": 1.0, "logprobs": True}
        answer = httpx.post(
            f"{server.base_url}/v1/chat/completions",
            json={"model": "policy", "max_tokens": 32, **chat},
            headers=authorization(server.base_url),
            trust_env=False,
            timeout=60,
        ).json()
    for temperature, ledger in sampled.items():
        found = Replay(published.folder, encoder, temperature).differences(training_row(ledger, encoder, store))
        assert len(found.differences) > 8 and max(found.differences) < 1e-3
        assert max(found.differences) < max(found.trainer) < 0.02  # random weights give the banned ids a share
        assert not found.greedy  # as top_k 1 would be
    assert min(each["logprob"] for each in answer["choices"][0]["logprobs"]["content"]) < -1  # all 0 under top_k 1
