"""Stands in for flash_attn.utils.distributed."""

from .. import needs_a_gpu as all_gather

__all__ = ["all_gather"]
