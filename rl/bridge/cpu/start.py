"""Runs a training module in a Ray of our own that believes in GPUs: `start.py MODULE FLAGS...`.

The module is the unmodified openrlhf.cli.train_ppo_ray, or rl.bridge.train_rows, which runs it.

OpenRLHF asks Ray for one GPU per process, to place them. Here a "GPU" is a share of the CPU. Ray's files go to the
temporary folder of this process (RAY_TMPDIR), and it ends with this process.
"""

import os
import runpy
import sys
from typing import Any, cast

import ray

LOGICAL_GPUS = 4
OBJECT_STORE_BYTES = 1024**3


def main() -> None:
    """Starts Ray, then runs the module's command line as if it had been called."""
    cast(Any, ray).init(
        num_cpus=8,
        num_gpus=LOGICAL_GPUS,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",  # one machine: nothing listens beyond it
        _temp_dir=os.environ["RAY_TMPDIR"],
    )
    module = sys.argv.pop(1)
    sys.argv[0] = module.rpartition(".")[2]
    try:
        runpy.run_module(module, run_name="__main__")
    finally:
        cast(Any, ray).shutdown()


if __name__ == "__main__":
    main()
