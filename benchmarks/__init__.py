"""Measurements side by side, each a ratio within one run on one machine. Run as `python -m benchmarks.NAME`.

They are scripts, not tests: a time depends on the machine and on what else it does.
"""

from tools.run.openmp import sleep_while_waiting

sleep_while_waiting()  # before torch, for the sake of the server that is measured
