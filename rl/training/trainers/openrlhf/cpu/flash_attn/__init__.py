"""Stands in for flash-attn, which needs a GPU: can be imported, not called."""

__version__ = "0.0.0"


def needs_a_gpu(*_: object, **__: object) -> None:
    """Raises: sequence packing and ring attention need a GPU."""
    raise RuntimeError("flash_attn was called without a GPU: turn --ds.packing_samples and ring attention off.")
