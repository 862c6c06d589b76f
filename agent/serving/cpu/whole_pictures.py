"""Let vLLM's first model runner, the only one on a CPU, survive a prefix-cache reset under running requests.

vLLM 0.29 sends a picture's pixels to the worker only if the prefix cache does not cover it (vllm pull request 52041). A
request that began so and is then preempted while the prefix cache is reset, as every hot swap with `keep` does, must
encode its picture after all; the second runner is sent the pixels again, the first is not: the encoder gets no pixels,
and the engine dies ("Expected multimodal embeddings ... but got NoneType"). Here the pixels are always sent.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

MODULE = "vllm.v1.core.sched.output"


class AfterImport(importlib.abc.MetaPathFinder):
    """Changes MODULE right after its own code ran, once."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec that the ordinary finder gives, with a loader that changes the module afterwards."""
        if fullname != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def run_and_change(module: ModuleType) -> None:
                run(module)
                change(module)

            spec.loader.exec_module = run_and_change
        return spec


def prepare() -> None:
    """Change MODULE in this process when it is imported."""
    sys.meta_path.insert(0, AfterImport())


def change(module: ModuleType) -> None:
    """Send all features whole. Raises AttributeError where this vLLM has no such function: see what it does then."""
    if not hasattr(module, "strip_covered_mm_data"):
        raise AttributeError(f"got no strip_covered_mm_data in {module.__name__}, expected vLLM 0.29")

    def keep_all(features: list[object], *_: object, **__: object) -> list[object]:
        return features

    module.__dict__["strip_covered_mm_data"] = keep_all
