"""Whether a machine has what a run needs: disk, memory, GPUs. Estimates, from what whole runs took.

What cannot work stops the run; what may be tight is told. A checkpoint whose weights are not here yet has no size, and
is not judged.
"""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from rl.config import Config
from rl.training.preflight.family import folder_of
from rl.training.preflight.finding import Finding
from rl.training.preflight.folder import nearest
from rl.training.trainers.find import find_trainer

GIB = 2**30
FLOAT32, BFLOAT16, ADAM = 4, 2, 12
"""Bytes of a parameter: kept without a GPU, kept with one, and of a saved optimizer (master weights and moments)."""
OPTIMIZERS_KEPT = 2
"""Of the trainer's own checkpoints, to resume from."""
BESIDES = GIB // 16
"""Bytes of what is neither weights nor episodes: logs, report, tokenizers."""
EPISODE = 55_000
"""Bytes of an episode with its pictures: 35 MB of 640 episodes on phantoms."""
PROCESSES = 9 * GIB
"""Memory of all programs of a run on CPU (vLLM twice, with 1 GiB for its cache, Ray, the trainer) with the embedded
policy: 9.4 GB at most, shared pages counted once."""
TRAINED = 30
"""Bytes of memory for each parameter on CPU: two engines, the reference, the trainer with gradients and moments."""
LEAST, TIGHT = 0.8, 1.5
"""Shares of an estimate: with less a run cannot work; with less than this on the disk its owner should know."""


def room(config: Config, run: Path, starts: bool) -> Iterator[Finding]:
    """Where the machine has too little; `starts`: it is this machine that the run starts on, now."""
    weights = parameters(config)
    if weights is not None:
        yield from disk(config, run, weights)
        if config.device == "cpu":
            yield from memory(weights)
    if config.device == "gpu":
        yield from gpus(config, starts)


def parameters(config: Config) -> int | None:
    """How many parameters the checkpoint has; None where its weights are not here."""
    from agent.serving.checkpoint import CheckpointError
    from agent.serving.weights import read_headers

    folder = folder_of(config, fetch=False)
    if isinstance(folder, Finding):
        return None
    try:
        return sum(math.prod(tensor.shape) for tensor in read_headers(folder).values())
    except (CheckpointError, OSError, ValueError):
        return None


def bytes_written(config: Config, weights: int) -> int:
    """What a run writes: its published versions, what each stage leaves to resume from, its episodes."""
    each = weights * (FLOAT32 if config.device == "cpu" else BFLOAT16)
    saves = -(-config.rl.steps // config.rl.save_steps)
    copies = 3 + 3 + 3 * saves + 2  # the base, the warm-up, what the trainer saves and we publish, the last weights
    optimizers = (1 + OPTIMIZERS_KEPT) * weights * ADAM
    sampled = config.rl.steps * config.rl.prompts_per_step * config.rl.samples_per_prompt
    episodes = sampled + config.warmup.trajectories + 4 * config.tasks.test
    return copies * each + optimizers + episodes * EPISODE + BESIDES


def disk(config: Config, run: Path, weights: int) -> Iterator[Finding]:
    """Free bytes where the run's folder lies, or will."""
    there = nearest(run)
    written = sum(file.stat().st_size for file in run.rglob("*") if file.is_file()) if run.is_dir() else 0
    need, free = max(0, bytes_written(config, weights) - written), shutil.disk_usage(there).free
    said = f"Got {_gib(free)} GiB free in {there}, and the run has about {_gib(need)} to write"
    mend = "free some, choose another --run, or save less often (rl.save_steps)."
    if free < LEAST * need:
        yield Finding("--run", f"{said}: {mend}")
    elif free < TIGHT * need:
        yield Finding("--run", f"{said}, which is tight: {mend}", stops=False)


def memory(weights: int) -> Iterator[Finding]:
    """Memory that this process may use."""
    need, most, free = PROCESSES + TRAINED * weights, _memory_of_machine(), _meminfo()["MemAvailable"]
    said = f"expected about {_gib(need)} GiB for vLLM, the rollout engine and the trainer"
    if most < LEAST * need:
        yield Finding("device", f"Got a machine with {_gib(most)} GiB of memory, {said}; take a smaller base.")
    elif free < need:
        more = "end other programs, or the run may be killed."
        yield Finding("device", f"Got {_gib(free)} GiB of free memory, {said}: {more}", stops=False)


def gpus(config: Config, starts: bool) -> Iterator[Finding]:
    """GPUs that torch sees, against those that the trainer is told to take on this one machine."""
    import torch

    need, got = find_trainer(config.rl.trainer).gpus(config), torch.cuda.device_count()
    if need is not None and got < need.count:
        said = f"Got {got} GPUs, expected {need.count}: set {need.mend} to fit."
        yield Finding("device", said, stops=starts)


def _memory_of_machine() -> int:
    """Bytes, swap included; less where a container is given less."""
    known = _meminfo()
    whole = known["MemTotal"] + known["SwapTotal"]
    limit = Path("/sys/fs/cgroup/memory.max")
    given = limit.read_text().strip() if limit.is_file() else "max"
    return whole if given == "max" else min(whole, int(given))


def _meminfo() -> dict[str, int]:
    """What Linux says of its memory, in bytes."""
    lines = (line.partition(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return {name: int(said.split()[0]) * 1024 for name, _, said in lines}


def _gib(count: float) -> str:
    return f"{count / GIB:.1f}"
