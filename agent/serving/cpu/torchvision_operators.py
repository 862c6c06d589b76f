"""Let a CUDA build of torchvision be imported under a CPU torch. See README.md beside this file.

`prepare()` imports nothing itself: the operators are declared only when torchvision is looked for, so that short-lived
child processes start as fast as before, and only if its own C++ library cannot be loaded.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

OPERATORS = ("nms", "qnms")
KEPT: list[object] = []
"""A torch library forgets what it declared when it is collected."""


class BeforeTorchvision(importlib.abc.MetaPathFinder):
    """Finds nothing; declares the missing operators when torchvision is looked for, once."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Always None: the ordinary finders go on and find torchvision."""
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            declare_missing_operators()
        return None


def prepare() -> None:
    """Make `import torchvision` work in this process from now on."""
    if "torchvision" not in sys.modules and not any(isinstance(finder, BeforeTorchvision) for finder in sys.meta_path):
        sys.meta_path.insert(0, BeforeTorchvision())


def declare_missing_operators() -> None:
    """Declare torchvision's `nms` and `qnms` where its C++ library does not load under this torch."""
    import torch

    spec = importlib.machinery.PathFinder.find_spec("torchvision")
    if spec is None or spec.origin is None or torch.cuda.is_available():
        return
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            cast(Callable[[str], None], torch.ops.load_library)(str(library))  # pyright: ignore[reportUnknownMemberType]
        except OSError:  # a symbol or a CUDA library is missing: built for another torch
            continue
        return
    declared = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        if hasattr(torch.ops.torchvision, name):  # another part of this process has declared it
            continue
        schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        cast(Callable[[str], object], declared.define)(schema)  # pyright: ignore[reportUnknownMemberType]
    KEPT.append(declared)
