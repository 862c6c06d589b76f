"""Run by the new .venv: `imports cpu|gpu` imports all that we stand on, `ops` compiles what training calls on a CPU.

Imports fail in ways that no resolver sees (a torchvision built for CUDA, a torchaudio that stops vLLM): try them.
DeepSpeed would compile its ops on first use, which stops a run for a minute: Adam (FusedAdam is DeepSpeed's name for it
on a CPU too) and the reduction through shared memory. They land in TORCH_EXTENSIONS_DIR, where the runs look for them.
"""

import importlib
import sys
from typing import Any

MODULES = ("agent", "torchvision", "transformers", "langgraph.graph", "ray", "deepspeed", "openrlhf", "vllm")
"""`agent` comes first: it lets a torchvision built for CUDA be imported under a torch for the CPU."""


def check_imports(accelerator: str) -> None:
    """Import every module in turn; a failing import ends the check with its traceback."""
    torch: Any = importlib.import_module("torch")
    has_cuda = torch.version.cuda is not None
    if has_cuda != (accelerator == "gpu"):
        sys.exit(f"torch {torch.__version__} is built for {'CUDA' if has_cuda else 'the CPU'}, wanted: {accelerator}.")
    for module in MODULES + (("flash_attn",) if has_cuda else ()):
        importlib.import_module(module)


def compile_ops() -> None:
    """Compile each op, or load it where that was done; a compiler's error propagates."""
    builders: Any = importlib.import_module("deepspeed.ops.op_builder.cpu")
    for builder in (builders.FusedAdamBuilder(), builders.ShareMemCommBuilder()):
        builder.load(verbose=False)


if __name__ == "__main__":
    compile_ops() if sys.argv[1] == "ops" else check_imports(sys.argv[2])
