"""Half-made versions: those of the dead are swept at the next publishing, those of the living are left alone."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from agent.serving.checkpoint import publish, published_checkpoints
from agent.serving.staging import sweep

ROOT = Path(__file__).parents[3]
Folder = Callable[..., Path]
MAKER = """
import sys, time
from pathlib import Path
from agent.serving.staging import unfinished
with unfinished(Path(sys.argv[1]), "rl-00010") as folder:
    (folder / "model.safetensors").write_bytes(b"half")
    print(folder, flush=True)
    time.sleep(600)
"""


def test_the_next_publishing_sweeps_what_was_left_half_made(tmp_path: Path, plain_folder: Folder) -> None:
    versions = tmp_path / "versions"
    half = versions / ".rl-00010.x8_k2mz1"  # as a kill left it
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half")
    other = versions / ".cache"  # not ours
    other.mkdir()
    publish(plain_folder(tmp_path / "source"), versions, "v1", None, {})
    assert not half.exists() and other.exists()
    assert [each.version for each in published_checkpoints(versions)] == ["v1"]


def test_what_a_living_process_makes_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAKER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        folder = Path(maker.stdout.readline().strip())
        sweep(tmp_path)
        assert (folder / "model.safetensors").exists()
        maker.kill()
    assert (folder / "model.safetensors").exists()
    sweep(tmp_path)
    assert not folder.exists()


def test_where_nothing_was_published_there_is_nothing_to_sweep(tmp_path: Path) -> None:
    sweep(tmp_path / "versions")
    assert not (tmp_path / "versions").exists()
