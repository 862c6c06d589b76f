"""Stands in for flash_attn.bert_padding."""

from einops import rearrange

from . import needs_a_gpu as index_first_axis
from . import needs_a_gpu as pad_input
from . import needs_a_gpu as unpad_input

__all__ = ["index_first_axis", "pad_input", "rearrange", "unpad_input"]
