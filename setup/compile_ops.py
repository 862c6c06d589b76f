"""Run by the new .venv on a CPU: compiles the DeepSpeed ops that training calls, which DeepSpeed would do on first use.

The ops: Adam (FusedAdam is DeepSpeed's name for it on a CPU too) and the reduction through shared memory. They land in
TORCH_EXTENSIONS_DIR, where the runs look for them; a second call finds them compiled.
"""

import os
from typing import Protocol, cast

from deepspeed.ops.op_builder.cpu import FusedAdamBuilder, ShareMemCommBuilder

from rl.processes.compiler_locks import extensions_folder, remove_stale_locks


class OpBuilder(Protocol):
    """The part of DeepSpeed's untyped op builders that is used here."""

    def load(self, verbose: bool) -> object:
        """Compile the op unless that was done, and import it."""
        ...


def main() -> None:
    """Compile or load each op; a compiler's error propagates."""
    remove_stale_locks(extensions_folder(os.environ))  # of a set-up that was killed
    for builder in (FusedAdamBuilder(), ShareMemCommBuilder()):
        cast(OpBuilder, builder).load(verbose=False)


if __name__ == "__main__":
    main()
