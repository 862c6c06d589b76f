"""vLLM's two schedulers as ours: what is scheduled while the engine is paused. Without a model: steps are made up."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent.serving.server_command import ServerOptions, installed_build, server_environment
from agent.serving.swap import PROBE_PRIORITY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PROGRAM = """
import sys

import torch
from medvista_scheduler import PROBE_PRIORITY, scheduler
from vllm.config import CacheConfig, ModelConfig, SchedulerConfig, VllmConfig
from vllm.sampling_params import SamplingParams
from vllm.v1.core.sched.interface import PauseState
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager

model = ModelConfig(model=sys.argv[1], dtype="float32")
config = VllmConfig(
    model_config=model,
    cache_config=CacheConfig(block_size=16, gpu_memory_utilization=0.5, cache_dtype="auto"),
    scheduler_config=SchedulerConfig(
        max_num_seqs=2,
        max_num_batched_tokens=2048,
        max_model_len=2048,
        is_encoder_decoder=False,
        policy="priority",
    ),
)
config.cache_config.num_gpu_blocks = 100
config.scheduler_config.async_scheduling = sys.argv[2] == "async"
attention = FullAttentionSpec(block_size=16, num_kv_heads=1, head_size=1, dtype=torch.float32)
groups = [KVCacheGroupSpec(["0"], attention)]
ours = scheduler(
    config,
    kv_cache_config=KVCacheConfig(num_blocks=100, kv_cache_tensors=[], kv_cache_groups=groups),
    structured_output_manager=StructuredOutputManager(config),
    block_size=16,
    hash_block_size=16,
    log_stats=False,
)


def add(name, priority=0, tokens=5):
    sampling = SamplingParams(max_tokens=tokens, temperature=0.0)
    ours.add_request(Request(name, [1, 2, 3], sampling, None, priority=priority, arrival_time=len(ours.requests)))


def step():
    planned = ours.schedule()
    names = sorted(planned.num_scheduled_tokens)
    sampled = ModelRunnerOutput(
        req_ids=names,
        req_id_to_index={name: at for at, name in enumerate(names)},
        sampled_token_ids=[[7] for _ in names],
        logprobs=None,
        prompt_logprobs_dict={},
        pooler_output=[],
    )
    ours.update_from_output(planned, sampled)
    return names


print(type(ours).__name__)
add("a"), add("b"), add("waits")
print("before the pause", step(), step())
ours.set_pause_state(PauseState.PAUSED_ALL)
print("paused", ours.has_unfinished_requests(), step())
add("first", -1)
ours.reset_prefix_cache(reset_running_requests=True)
print("preempted", ours.has_unfinished_requests(), step())
add("probe", PROBE_PRIORITY, tokens=1)
print("probe", ours.has_unfinished_requests(), step(), ours.has_unfinished_requests(), step())
ours.set_pause_state(PauseState.PAUSED_NEW)
print("new ones paused", ours.has_unfinished_requests(), step())
ours.set_pause_state(PauseState.UNPAUSED)
rest = [name for _ in range(20) for name in step()]
print("resumed", rest[:2], {name: rest.count(name) for name in sorted(set(rest))}, ours.has_unfinished_requests())
print("priority", PROBE_PRIORITY)
"""


@pytest.mark.parametrize(("mode", "kind"), [("sync", "Probing"), ("async", "AsyncProbing")])
def test_while_it_is_paused_a_probe_is_scheduled_and_nothing_else(
    random_checkpoint: Path, tmp_path: Path, mode: str, kind: str
) -> None:
    command = [sys.executable, "-c", PROGRAM, str(random_checkpoint), mode]
    environment = server_environment(ServerOptions(), installed_build(), tmp_path, tmp_path / "key")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith(("INFO", "WARNING"))]
    assert lines == [
        kind,
        "before the pause ['a', 'b'] ['a', 'b']",
        "paused False []",
        "preempted False []",
        "probe True ['probe'] False []",
        "new ones paused False []",
        "resumed ['a', 'first'] {'a': 3, 'b': 3, 'first': 5, 'waits': 5} False",
        f"priority {PROBE_PRIORITY}",
    ]
