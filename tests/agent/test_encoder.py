"""The encoder against Hugging Face's own processor, which transformers and vLLM read prompts and pictures with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agent.chat.loading import family_in
from agent.encoder import Encoder, EncodingError, joined
from agent.prompt import END_OF_TURN, opening, system_prompt
from tools.images.image import MedicalImage

SIZES = [(512, 512), (112, 112), (64, 64), (640, 480), (333, 777), (28, 28), (1200, 90), (37, 411)]


def picture(size: tuple[int, int], mode: str = "L", seed: int = 0) -> Image.Image:
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def assert_same_as_processor(encoder: Encoder, text: str, images: list[Image.Image]) -> None:
    theirs = encoder.processor(text=[text], images=[image.convert("RGB") for image in images], return_tensors="np")
    seen = joined([encoder.mm_inputs([image]) for image in images])
    grids = [encoder.grid(image) for image in images]
    ids, spans = encoder.encode(text, grids)
    assert ids == theirs["input_ids"][0].tolist()
    assert [list(grid) for grid in grids] == seen["image_grid_thw"].tolist() == theirs["image_grid_thw"].tolist()
    ours = np.asarray(seen["pixel_values"])
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, theirs["pixel_values"])
    for span, grid in zip(spans, grids, strict=True):
        assert span.grid == grid
        assert set(ids[span.start : span.start + span.length]) == {encoder.image_pad}
        assert span.length == encoder.placeholders(grid)
    assert ids.count(encoder.image_pad) == sum(span.length for span in spans)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", SIZES)
def test_one_image_is_encoded_as_the_processor_does(encoder: Encoder, size: tuple[int, int], mode: str) -> None:
    text = opening(system_prompt(""), "What type is the lesion?", 1)
    assert_same_as_processor(encoder, text, [picture(size, mode)])


@pytest.mark.parametrize("second", SIZES)
def test_two_images_are_encoded_as_the_processor_does(
    encoder: Encoder, tool_section: str, second: tuple[int, int]
) -> None:
    text = opening(system_prompt(tool_section), "Are both lesions of the same type?", 2)
    assert_same_as_processor(encoder, text, [picture((512, 512)), picture(second, "RGB", seed=1)])


def test_the_grid_is_the_processors_for_two_hundred_sizes(encoder: Encoder) -> None:
    draw = np.random.default_rng(1)
    for _ in range(200):
        width, height = (int(value) for value in np.exp(draw.uniform(np.log(4), np.log(700), 2)))
        image = picture((width, height))
        assert encoder.grid(image) == encoder.grid_of(encoder.mm_inputs([image])), (width, height)


def test_the_grid_needs_a_size_only(encoder: Encoder) -> None:
    assert encoder.grid(MedicalImage(np.zeros((512, 512), np.int16))) == (1, 8, 8)  # 112 / 14 patches a side
    assert encoder.placeholders((1, 8, 8)) == 16  # 2 x 2 merged


def test_an_image_that_the_processor_refuses_is_named(encoder: Encoder) -> None:
    with pytest.raises(EncodingError, match="1 x 300 pixels"):
        encoder.grid(Image.new("L", (1, 300)))


@pytest.mark.parametrize(("images", "said"), [(0, "more image placeholders"), (2, "Got 2 images and 1 placeholders")])
def test_text_and_images_must_agree(encoder: Encoder, images: int, said: str) -> None:
    with pytest.raises(EncodingError, match=said):
        encoder.encode(opening("", "What?", 1), [(1, 8, 8)] * images)


@pytest.mark.parametrize(
    "text",
    [
        "What type is the lesion?",
        "  two  spaces \n\n and\ttabs",
        "12 345 6789 007 1.5",
        "é 漢字 😀 \u200b \x00",
        "<think>a</think>",
    ],
)
def test_any_text_comes_back_as_it_was(encoder: Encoder, text: str) -> None:
    ids, spans = encoder.encode(text)
    assert encoder.decode(ids) == text
    assert spans == []


def test_text_in_pieces_has_the_ids_of_the_whole_chat(encoder: Encoder, tool_section: str) -> None:
    """The prompt, a turn and an observation are encoded one after the other; the processor reads the chat at once."""
    pieces = [
        opening(system_prompt(tool_section), "What type is the lesion?", 1),
        "<think>I must look closer.</think>"
        '<tool_call>{"name": "zoom_in", "arguments": {"image": 1, "box": [0, 0, 120, 120]}}</tool_call>' + END_OF_TURN,
        "\n<|im_start|>user\nCloser view of image 1.<|im_end|>\n<|im_start|>assistant\n",
    ]
    ids = [token for piece in pieces for token in encoder.encode(piece, [(1, 8, 8)] * piece.count("<|image_pad|>"))[0]]
    assert ids == encoder.encode("".join(pieces), [(1, 8, 8)])[0]


def test_ids_are_the_tokenizers_whatever_was_asked_of_it_before(encoder: Encoder) -> None:
    text = "<|im_start|>user\nWo?\u00a0 3,5 mm<|im_end|>\n<tool_call>" * 3
    expected: list[int] = encoder.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert encoder.encode(text)[0] == expected
    encoder.tokenizer([text, "a"], padding=True, truncation=True, max_length=4)  # which stays set
    assert encoder.encode(text)[0] == expected


def test_a_turn_is_decoded_without_the_token_that_ends_it(encoder: Encoder) -> None:
    ids, _ = encoder.encode("<think>a</think>")
    assert encoder.decode_turn(ids) == "<think>a</think>"
    assert encoder.decode_turn([*ids, encoder.end_of_turn]) == "<think>a</think>"
    assert encoder.decode_turn([]) == ""


def test_vision_tokens_and_the_start_of_a_turn_are_banned_and_its_end_is_not(encoder: Encoder) -> None:
    names = ["<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|im_start|>"]
    assert list(encoder.banned) == [encoder.encode(name, [(1, 2, 2)] * (name == names[0]))[0][0] for name in names]
    assert encoder.end_of_turn not in encoder.banned


def test_a_checkpoint_brings_its_encoder(encoder: Encoder, random_checkpoint: Path) -> None:
    loaded: Any = family_in(random_checkpoint)
    text = opening(system_prompt(""), "Which quadrant?", 1)
    assert loaded.encode(text, [loaded.grid(picture((640, 480)))]) == encoder.encode(
        text, [encoder.grid(picture((640, 480)))]
    )


def test_a_checkpoint_without_an_image_processor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncodingError, match="without an image processor's files"):
        family_in(tmp_path)
