"""find_by_words: a tiny Grounding DINO with random weights in transformers' own code, loaded and asked."""

from pathlib import Path

import numpy as np
import pytest

from tools.adapters.find_by_words import find_by_words
from tools.adapters.provided import WEIGHTS
from tools.errors import ToolRetry
from tools.images.image import MedicalImage

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "lung", "nodule", "rib"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights as the published ones are laid out."""
    import torch
    import transformers

    root = tmp_path_factory.mktemp("weights")
    folder = root / "grounding-dino"
    tokenizer = transformers.BertTokenizer(vocab={word: number for number, word in enumerate(VOCABULARY)})
    pictures = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 160, "longest_edge": 200})
    transformers.GroundingDinoProcessor(pictures, tokenizer).save_pretrained(folder)
    torch.manual_seed(0)
    configuration = transformers.GroundingDinoConfig(
        backbone_config=transformers.SwinConfig(
            image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config={
            "model_type": "bert", "vocab_size": len(VOCABULARY), "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 16,
        },
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=9, max_text_len=32,
    )  # fmt: skip
    transformers.GroundingDinoForObjectDetection(configuration).save_pretrained(folder)
    return root


@pytest.mark.slow
def test_boxes_lie_in_the_image_and_scores_fall(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS, str(tiny))
    image = MedicalImage(np.random.default_rng(0).integers(0, 256, (90, 120), dtype=np.uint8), spacing=(0.5, 0.5))
    part = image.crop((20, 10, 120, 90))
    found = find_by_words.apply({"image": 1, "words": "lung nodule. Rib.", "threshold": 0.05}, [part])
    scores = [each.value for each in found.measurements]
    assert scores and scores == sorted(scores, reverse=True)
    assert len(found.regions) == len(scores) <= 9
    for region in found.regions:
        assert region.image == image.id
        x1, y1, x2, y2 = region.box
        assert 20 <= x1 < x2 <= 120
        assert 10 <= y1 < y2 <= 90
    assert found.images[0].size == part.size
    assert found.text.startswith("Grounding DINO in image 1: 1 ")
    with pytest.raises(ToolRetry, match="expected what to look for"):
        find_by_words.apply({"image": 1, "words": " . ", "threshold": 0.3}, [part])
