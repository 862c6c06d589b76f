"""Stand-ins for downloaded checkpoints: real tokenizers and chat templates, random small weights.

They are built by ../shared/real_models (data with their licences, no part of this repository); where that is not there,
tests that ask for one are skipped, with that reason.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT.parent / "shared" / "real_models"
LETTERS = {"qwen3_vl_instruct": "i", "qwen3_vl_thinking": "t", "qwen2_5_vl": "q", "internvl3": "v"}
"""What the script calls each."""


def stand_in(name: str, into: Path) -> Path:
    """The folder of a stand-in, built below `into` where it is not there yet; skips where there is nothing to build."""
    if not (SOURCE / "build.py").is_file():
        pytest.skip(f"got no {SOURCE}, which holds the published tokenizers and templates that {name} is made of")
    if not (into / name).is_dir():
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(SOURCE / "build.py"), str(into), LETTERS[name]]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=900)
        _one_word_on_tied_embeddings(into / name / "config.json")
    return into / name


def _one_word_on_tied_embeddings(config: Path) -> None:
    """Transformers ties by what stands at the top, vLLM by the text model's: they must say the same."""
    settings = json.loads(config.read_text())
    settings["text_config"]["tie_word_embeddings"] = settings.get("tie_word_embeddings", False)
    config.write_text(json.dumps(settings, indent=2))
