"""The toy: a policy of two million parameters, taught on lessons that are made here; a laptop trains it.

Nothing outside this folder names it: it is found by its entry point (pyproject.toml) and by what a configuration says.
"""

from pathlib import Path

CHECKPOINT = Path(__file__).parent / "checkpoint"
"""The embedded base: what `python -m rl.toy.teach` made."""
