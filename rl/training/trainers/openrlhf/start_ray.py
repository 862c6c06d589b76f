"""Runs a training module in a Ray: `python -m ...openrlhf.start_ray [--cpu] [--ray-address ADDRESS] MODULE FLAGS...`.

The module is rl.training.trainers.openrlhf.train, which runs OpenRLHF's own command: that would start a Ray that
everybody can reach. Without an address the Ray is our own (rl/processes/ray_cluster.py), its files go to the temporary
folder of this process (RAY_TMPDIR), and it ends with this process.

OpenRLHF asks Ray for one GPU per process, to place them. With --cpu a "GPU" is a share of the CPU.
"""

import argparse
import os
import runpy
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from rl.processes.ray_cluster import own_ray

CPU: dict[str, Any] = {"num_cpus": 8, "num_gpus": 4, "object_store_memory": 1024**3}
TOLD = ("MEDVISTA_RUN", "PYTHONPATH", "TOKENIZERS_PARALLELISM", "NCCL_DEBUG", "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS")
"""Variables that processes on other machines are given too; a Ray of our own passes on all."""


def main() -> None:
    """Joins or starts Ray, then runs the module's command line as if it had been called."""
    parser = argparse.ArgumentParser(prog="python -m rl.training.trainers.openrlhf.start_ray")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--ray-address")
    parser.add_argument("module")
    parser.add_argument("flags", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    module: str = asked.module
    sys.argv = [module.rpartition(".")[2], *asked.flags]
    if asked.ray_address:
        ray = joined(asked.ray_address)
    else:
        ray = own_ray(Path(os.environ["RAY_TMPDIR"]), **(CPU if asked.cpu else {}))
    with ray:
        runpy.run_module(module, run_name="__main__")


@contextmanager
def joined(address: str) -> Generator[None]:
    """Connected to a Ray cluster that runs already."""
    import ray

    library: Any = cast(Any, ray)
    variables = {name: os.environ[name] for name in TOLD if name in os.environ}
    library.init(address=address, runtime_env={"env_vars": variables})
    try:
        yield
    finally:
        library.shutdown()


if __name__ == "__main__":
    main()
