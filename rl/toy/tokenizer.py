"""The embedded policy's tokenizer: few tokens a turn, any text still possible.

A byte-level BPE (any text round-trips) with the numbers 0 to 999 and the agent's own fixed pieces of text as single
tokens, so that a tool call takes about fifteen tokens and a coordinate is one decision, not three.
"""

from collections.abc import Iterable
from typing import Any, cast

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD = "<|endoftext|>"
SPECIAL = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
MERGES = 400

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] in ('image', 'image_url') %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build_tokenizer(corpus: Iterable[str], pieces: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer for the words of `corpus`, in which each of `pieces` and each number 0-999 is one token."""
    bpe: Any = Tokenizer(models.BPE())  # the library's stubs give no types
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet: list[str] = sorted(cast(Any, pre_tokenizers.ByteLevel).alphabet())
    size = len(SPECIAL) + 1 + len(alphabet) + MERGES
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[PAD, *SPECIAL], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(corpus, trainer)
    bpe.add_tokens([AddedToken(text, normalized=False) for text in dict.fromkeys(pieces)])
    bpe.add_tokens([AddedToken(str(number), normalized=False) for number in range(1000)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token=PAD,
        additional_special_tokens=list(SPECIAL),
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
