"""`python -m rl.new grader NAME`: writes the file and the test of something new for training (docs/adding.md).

Exit status: 0 written, 2 nothing was written: the message says why.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.chat.families import find as families
from rl.graders import registry as graders
from rl.rewards import registry as rewards
from rl.tasks import registry as tasks
from rl.training.trainers import find as trainers
from tools.scaffold import Kind, ScaffoldError, add_arguments, write

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {
    each.name: each
    for each in (
        Kind(TEMPLATES, "task_set", "rl.tasks.sets", tasks.ENTRY_POINT_GROUP),
        Kind(TEMPLATES, "reward", "rl.rewards", rewards.ENTRY_POINT_GROUP),
        Kind(TEMPLATES, "grader", "rl.graders", graders.ENTRY_POINT_GROUP),
        Kind(TEMPLATES, "family", "agent.chat.families", families.ENTRY_POINT_GROUP),
        Kind(TEMPLATES, "trainer", "rl.training.trainers", trainers.ENTRY_POINT_GROUP),
    )
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m rl.new", description=__doc__)
    parser.add_argument("kind", choices=list(KINDS))
    add_arguments(parser)
    asked = parser.parse_args(argv)
    try:
        print(write(KINDS[asked.kind], asked.name, asked.out))
    except ScaffoldError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
