"""The embedded policy's architecture: Qwen3-VL, made small.

About two million parameters, and nothing in it but size differs from the published models, so transformers, vLLM and
OpenRLHF load it through the same classes as Qwen3-VL-8B. The processor shows every image at about 112 x 112 pixels
(16 tokens), so a 512-pixel image reaches the policy as a thumbnail, and a zoom is the way to see more.
"""

from typing import Any, cast

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

SIDE = 112
"""An image's side in pixels as the policy sees it (square images; others keep their aspect at the same area)."""
AREA = {"shortest_edge": SIDE * SIDE - 44, "longest_edge": SIDE * SIDE + 56}
"""Least and most pixels of an image; a little around 112 x 112, or rounding would turn some squares into 84 x 112."""
MEAN, DEVIATION = 0.35, 0.2
"""Of a phantom's grey values, 0 to 1: without their removal a patch's mean hides what is in it from a fresh network."""
PATCH = 14
MERGE = 2
CONTEXT = 2048


def build_processor(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLProcessor:
    """The processor (tokenizer and image processor) that a checkpoint of the embedded policy carries."""
    scale: dict[str, Any] = {"image_mean": [MEAN] * 3, "image_std": [DEVIATION] * 3}
    images = Qwen2VLImageProcessor(size=AREA, patch_size=PATCH, merge_size=MERGE, **scale)
    videos = Qwen3VLVideoProcessor(size=AREA, patch_size=PATCH, merge_size=MERGE, **scale)
    template = cast(Any, tokenizer).chat_template
    return Qwen3VLProcessor(image_processor=images, tokenizer=tokenizer, video_processor=videos, chat_template=template)


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen3VLForConditionalGeneration:
    """The model with fresh weights, float32; the same weights for the same seed."""

    def token(text: str) -> int:
        return cast(int, tokenizer.convert_tokens_to_ids(text))

    text = {
        "architectures": ["Qwen3ForCausalLM"],  # vLLM 0.29 on CPU stops without it
        "vocab_size": len(tokenizer),
        "hidden_size": 160,
        "intermediate_size": 432,
        "num_hidden_layers": 4,
        "num_attention_heads": 5,
        "num_key_value_heads": 5,
        "head_dim": 32,
        "max_position_embeddings": 4 * CONTEXT,
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": [6, 5, 5],
            "mrope_interleaved": True,
            "rope_theta": 1000.0,
        },
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "tie_word_embeddings": True,
    }
    vision = {
        "depth": 4,
        "hidden_size": 96,
        "intermediate_size": 256,
        "num_heads": 3,
        "out_hidden_size": 160,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "num_position_embeddings": (SIDE // PATCH) ** 2,
        "deepstack_visual_indexes": [1],
    }
    config = Qwen3VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    cast(Any, torch).manual_seed(seed)
    model: Any = cast(Any, Qwen3VLForConditionalGeneration)(config).float()
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model
