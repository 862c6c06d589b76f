"""Small random models of the published architectures, each with its processor.

What decides how a checkpoint reads, sees and is sampled from is as published: vocabulary, control ids, patches, colour
scales, sampling defaults. All else is small: two layers, 64 wide.
"""

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from tests.stand_ins.published import INTERNVL3, QWEN2_5, QWEN3, template, tokenizer

WIDTH = 64
SPREAD = 3.0
"""Standard deviation of the logits: random, but far from equal."""
CONTROL = {"bos_token_id": 151643, "eos_token_id": 151645}
TEXT: dict[str, Any] = {
    **CONTROL,
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "tie_word_embeddings": False,
}
QWEN_IMAGES = {
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "tie_word_embeddings": False,
}
QWEN_VISION: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_heads": 2,
    "out_hidden_size": WIDTH,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
SAMPLED = {**CONTROL, "eos_token_id": [151645, 151643], "pad_token_id": 151643, "do_sample": True}

Built = tuple[PreTrainedModel, ProcessorMixin]


def qwen3_vl(name: str) -> Built:
    """Qwen3-VL, Instruct or Thinking, by the template."""
    words, scale = template(name), {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(size={"shortest_edge": 65536, "longest_edge": 16777216}, patch_size=16, **scale),
        tokenizer(QWEN3),
        Qwen3VLVideoProcessor(size={"shortest_edge": 4096, "longest_edge": 25165824}, patch_size=16, **scale),
        chat_template=words,
    )
    positions = {"rope_type": "default", "mrope_section": [6, 5, 5], "mrope_interleaved": True, "rope_theta": 5e6}
    config = Qwen3VLConfig(
        text_config=TEXT
        | {"vocab_size": 151936, "max_position_embeddings": 262144, "head_dim": 32, "rope_parameters": positions},
        vision_config=QWEN_VISION
        | {"patch_size": 16, "num_position_embeddings": 2304, "deepstack_visual_indexes": [0, 1]},
        **QWEN_IMAGES,
    )
    sampling = GenerationConfig(**SAMPLED, top_p=0.8, top_k=20, temperature=0.7)
    return random(Qwen3VLForConditionalGeneration, config, sampling), processor


def qwen2_5_vl(name: str) -> Built:
    """Qwen2.5-VL: a vision tower with windows, whose last layer sees all."""
    words = template(name)
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(min_pixels=3136, max_pixels=12845056, patch_size=14),
        tokenizer(QWEN2_5),
        Qwen2VLVideoProcessor(min_pixels=3136, max_pixels=12845056, patch_size=14),
        chat_template=words,
    )
    positions = {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 1e6}
    config = Qwen2_5_VLConfig(
        text_config=TEXT | {"vocab_size": 152064, "max_position_embeddings": 128000, "rope_parameters": positions},
        vision_config=QWEN_VISION
        | {"patch_size": 14, "window_size": 112, "fullatt_block_indexes": [1], "tokens_per_second": 2},
        vision_token_id=151654,
        **QWEN_IMAGES,
    )
    sampling = GenerationConfig(**SAMPLED, repetition_penalty=1.05, temperature=1e-6)
    return random(Qwen2_5_VLForConditionalGeneration, config, sampling), processor


def internvl3(name: str) -> Built:
    """InternVL3: Qwen2.5's language model, tiles of 448 x 448.

    Its config does not say at the top whether the output layer is tied to the embedding, so transformers 5 takes it for
    tied; but the weights hold an output layer of their own, which counts.
    """
    words, side = template(name), {"height": 448, "width": 448}
    named = {"start_image": "<img>", "end_image": "</img>", "context_image": "<IMG_CONTEXT>", "video": "<video>"}
    tokens = tokenizer(INTERNVL3, model_specific_special_tokens={f"{key}_token": named[key] for key in named})
    scale = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size=side, crop_to_patches=False, min_patches=1, max_patches=12, **scale),
        tokens,
        InternVLVideoProcessor(size=side),
        chat_template=words,
    )
    vision = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = InternVLConfig(
        text_config=TEXT | {"model_type": "qwen2", "vocab_size": 151680, "max_position_embeddings": 32768},
        vision_config=vision | {"image_size": [448, 448], "patch_size": [14, 14]},
        image_token_id=tokens.convert_tokens_to_ids("<IMG_CONTEXT>"),
        tie_word_embeddings=False,
    )
    sampling = GenerationConfig(eos_token_id=151645, pad_token_id=151643)
    model = random(InternVLForConditionalGeneration, config, sampling)
    del model.config.tie_word_embeddings
    return model, processor


def random(kind: Callable[[Any], Any], config: Any, sampling: GenerationConfig) -> PreTrainedModel:
    """The model with the same random weights each time, float32, of a size that keeps activations near one."""
    torch.manual_seed(0)
    model = kind(config).float()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embed_tokens" in name:
                weight.normal_()
            elif weight.dim() >= 2:
                weight.normal_(0, (SPREAD if "lm_head" in name else 1) * weight[0].numel() ** -0.5)
    model.generation_config = sampling
    return model
