"""How torch's threads wait for each other where several processes share the cores: asleep.

OpenMP's threads wait by spinning. Where a server, a trainer and tools compute at once, a thread that spins keeps the
core from the one that it waits for: on two cores, beside a training, `pytest tests/rl/training/test_exactness.py` took
150 and 120 s so, 16 and 33 s asleep. GOMP_SPINCOUNT says the same to GCC's OpenMP in its own words.
"""

import os

SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
"""Environment variables that OpenMP reads once, when torch is imported."""


def sleep_while_waiting() -> None:
    """Set SLEEPING, in this process and those that it starts, unless the user has set it otherwise."""
    for name, value in SLEEPING.items():
        os.environ.setdefault(name, value)
