"""Another process, which knows nothing of this one: started once, for all cells that need one.

OpenRLHF can be imported there also where there is no GPU (rl/training/trainers/openrlhf/cpu).
"""

import atexit
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from agent.serving import confined
from agent.serving.server_command import CPU_ADAPTATION as SERVING_ADAPTATION
from rl.config import ROOT
from rl.training.trainers.openrlhf.command import CPU_ADAPTATION

PATHS = [str(path) for path in (CPU_ADAPTATION, SERVING_ADAPTATION, confined.FOLDER, ROOT)]


@cache
def another_process() -> ProcessPoolExecutor:
    """One process, begun from nothing and not forked, so that it holds no sample, image or model of ours."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_see, initargs=(PATHS,))
    before = dict(os.environ)
    os.environ |= {"PYTHONPATH": os.pathsep.join(PATHS), "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    try:
        pool.submit(os.getpid).result()  # it is begun with the first thing that it does
    finally:
        os.environ.clear()
        os.environ.update(before)
    atexit.register(pool.shutdown)
    return pool


def _see(paths: list[str]) -> None:
    """In the other process, whose path is at first a copy of ours; standard output is ours alone."""
    sys.path += paths
    sys.stdout = sys.stderr
