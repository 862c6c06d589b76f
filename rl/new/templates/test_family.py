"""new_family: its checkpoints are known by their tokens, and their template does not drift."""

from typing import Any

import pytest

from agent.chat.families.drift import drift
from agent.chat.families.find import family_of, seen_as
from agent.encoder import load_processor
from graphs.app.default_checkpoint import embedded


@pytest.fixture
def processor() -> Any:
    return load_processor(embedded())


def test_its_checkpoints_are_known(processor: Any) -> None:
    assert seen_as(processor).name != "new_family"
    processor.tokenizer.add_tokens(["<|new_family|>"], special_tokens=True)
    family = family_of(processor)
    assert (family.name, drift(family)) == ("new_family", None)
