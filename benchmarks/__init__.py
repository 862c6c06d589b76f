"""Measurements side by side, each a ratio within one run on one machine. Run as `python -m benchmarks.NAME`.

They are scripts, not tests: a time depends on the machine and on what else it does.
"""

import os

# before torch: a thread that spins takes the core of the server that is measured
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
