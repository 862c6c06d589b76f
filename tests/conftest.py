"""What the tests of several packages stand on: the embedded policy's tokenizer and image processor, and a store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.chat.families.family import Family
from agent.chat.families.find import family_of
from agent.encoder import load_processor
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.run.openmp import sleep_while_waiting
from tools.toolbox import Toolbox

sleep_while_waiting()  # tests run beside each other, and beside the servers that they start
CHECKPOINT = Path(__file__).parents[1] / "rl" / "toy" / "checkpoint"


@pytest.fixture(scope="session")
def tool_section() -> str:
    """The tool part of the system prompt that the embedded policy knows."""
    return Toolbox(load_tools(["zoom_in", "measure_distance"])).prompt_section()


@pytest.fixture(scope="session")
def processor() -> Any:
    """The embedded policy's processor."""
    return load_processor(CHECKPOINT)


@pytest.fixture(scope="session")
def encoder(processor: Any) -> Family:
    """The embedded policy's family: how it speaks and sees."""
    return family_of(processor)


@pytest.fixture(scope="session")
def random_checkpoint(processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the embedded policy's architecture and processor, and weights that were taught nothing."""
    from rl.toy.model import build_model
    from rl.toy.teach import save

    folder = tmp_path_factory.mktemp("checkpoints") / "random"
    save(build_model(processor.tokenizer, seed=0), processor, folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    """An empty image store."""
    return ImageStore(tmp_path / "images")


@pytest.fixture(scope="session")
def scan() -> MedicalImage:
    """A 512 x 512 picture, no two crops of which are alike, with 0.5 mm between rows and 0.25 mm between columns."""
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)
    return MedicalImage(pixels, spacing=(0.5, 0.25))
