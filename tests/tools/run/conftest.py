"""Processes import the tools that misbehave by the name `unruly`: this folder is on the path that they are given."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
