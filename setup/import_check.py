"""Run by the new .venv: does all that we stand on import, and is torch the build that was asked for?

Imports fail in ways that no resolver sees (a torchvision built for CUDA, a torchaudio that stops vLLM): try them.
"""

import importlib
import importlib.metadata
import sys
from typing import Any

MODULES = ("torchvision", "transformers", "langgraph.graph", "ray", "deepspeed", "openrlhf", "vllm")


def main(accelerator: str) -> None:
    """Import every module in turn; a failing import ends the check with its traceback."""
    torch: Any = importlib.import_module("torch")
    has_cuda = torch.version.cuda is not None
    if has_cuda != (accelerator == "gpu"):
        sys.exit(f"torch {torch.__version__} is built for {'CUDA' if has_cuda else 'the CPU'}, wanted: {accelerator}.")
    schemas = None if has_cuda else declare_torchvision_schemas(torch)
    for module in MODULES + (("flash_attn",) if has_cuda else ()):
        importlib.import_module(module)
    del schemas


def declare_torchvision_schemas(torch: Any) -> Any:
    """What our CPU adaptation does at run time for a torchvision built for CUDA: declare the operators it looks for.

    A CPU build of torchvision brings them itself, and would refuse a second declaration.
    """
    if importlib.metadata.version("torchvision").endswith("+cpu"):
        return None
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


if __name__ == "__main__":
    main(sys.argv[1])
