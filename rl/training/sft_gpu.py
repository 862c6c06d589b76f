"""The warm-up's training on GPUs: a process for each, started by torchrun, with DeepSpeed under transformers' Trainer.

DeepSpeed keeps the weights in float32 beside the bfloat16 ones that are computed with: a bfloat16 weight alone does not
move by less than its 256th part, and a warm-up's updates are smaller. The float32 weights and the optimizer lie in the
memory of the machine, shared out over the processes, so that an 8B model fits a GPU of 80 GB. And when the processes
end, the GPUs are free for the engines.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from agent.serving import confined
from rl.config import REASONING, ROOT
from rl.processes.child import run_child
from rl.rollout.run_parts import open_run
from rl.training import sft
from rl.trajectories.store import TrajectoryStore

DEEPSPEED: dict[str, Any] = {
    "bf16": {"enabled": True},
    "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}},
    "optimizer": {
        "type": "AdamW",
        "params": {"lr": "auto", "betas": "auto", "eps": "auto", "weight_decay": "auto"},
    },
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
}
"""What is "auto" follows from the Trainer's own arguments."""


def command(run: Path) -> list[str]:
    """The command line that trains on every GPU of this machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "gpu"]
    return [*launcher, "--local-addr", "127.0.0.1", "-m", "rl.training.sft_gpu", str(run)]


def environment(temporary: Path) -> dict[str, str]:
    """The environment of the processes: loopback for their rendezvous, compiled ops where the set-up left them."""
    paths = os.pathsep.join([str(confined.FOLDER), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # DeepSpeed calls ninja
    values = {"TMPDIR": str(temporary), "TOKENIZERS_PARALLELISM": "false", "PATH": programs, "PYTHONPATH": paths}
    extensions = Path(sys.prefix) / "torch_extensions"
    if extensions.is_dir():
        values["TORCH_EXTENSIONS_DIR"] = str(extensions)
    return {**os.environ, **confined.LOOPBACK, **values}


async def train_apart(run: Path) -> None:
    """Trains on the run's demonstrations in processes of their own. Raises TrainingError where these fail."""
    temporary = Path(tempfile.mkdtemp(prefix="mv-"))
    await run_child("The warm-up", command(run), environment(temporary), temporary, run / "logs" / "warmup.log")


def main(run: Path) -> None:
    """One process of the training."""
    parts = open_run(run, graph=REASONING)
    shown = list(TrajectoryStore(run / "trajectories" / "demonstrations"))
    sft.train(parts, shown, run / "checkpoints" / "base", *sft.folders(run), deepspeed=DEEPSPEED)


if __name__ == "__main__":
    from torch.distributed.elastic.multiprocessing.errors import record

    record(main)(Path(sys.argv[1]))  # so that the launcher tells why a process failed
