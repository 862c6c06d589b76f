"""Another process, which knows nothing of this one: started once, for all cells that need one."""

import atexit
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache


@cache
def another_process() -> ProcessPoolExecutor:
    """One process, begun from nothing and not forked, so that it holds no sample, image or model of ours."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    atexit.register(pool.shutdown)
    return pool
