"""Tools in Ray actors, of an engine that runs already: what comes back, what a crash costs, and what is missing."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent

PROGRAM = """
import asyncio, logging, os, sys
from pathlib import Path
import numpy as np
import unruly
from tools import ImageStore, MedicalImage, Toolbox, ToolCall
from tools.run.ray import on_ray

store = ImageStore(sys.argv[1])
pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
images = [store.put(MedicalImage(pixels)), store.put(MedicalImage(pixels[:32]))]
there = on_ray(actors=1, num_cpus=1)
names = ("corner", "warm", "leave", "loop", "huge", "ask_again", "buggy")
box = Toolbox([getattr(unruly, name) for name in names], deadline_s=200, wrappers=[there])

def run(*names):
    calls = [ToolCall(name=name, arguments={"image": 2}) for name in names]
    for each in asyncio.run(box.run(calls, images, store)):
        print(">", each.call.name, each.status, each.text)
        for image in each.images:
            print(">", store.get(image).size, store.get(image).provenance.source == images[1])

logging.disable()
assert "ray" not in sys.modules
run("corner")
from rl.processes.ray_cluster import own_ray
with own_ray(Path(sys.argv[2]), num_cpus=1, log_to_driver=False):
    run("corner", "huge", "ask_again", "buggy")
    for name in ("leave", "loop"):
        run(name)
        run("corner")
    run("warm")
    print(">", os.getpid())
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_tools_run_in_actors_of_the_engine_that_is_there(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    environment.pop("RAY_ADDRESS", None)
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # a socket's path must be short
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "store"), folder]
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1000, check=False
        )
    assert ended.returncode == 0, ended.stderr
    # Ray's own news stands between
    *said, warm, pid = [line.removeprefix("> ") for line in ended.stdout.splitlines() if line.startswith("> ")]
    corner = ["corner ok Corner of image 2.", "(8, 8) True"]
    no_engine, said = said[0], said[1:]
    assert no_engine.startswith("corner failed") and "Start one with `ray start --head`" in no_engine
    assert said[:2] == corner
    assert said[2].startswith("huge failed") and "8000 x 8001" in said[2]
    assert said[3] == "ask_again retry Got 3, expected 4: give 4."
    assert said[4].startswith("buggy bug")
    assert said[5].startswith("leave failed leave lost its Ray actor")
    assert said[6:8] == corner
    assert said[8] == "loop failed loop did not finish in 1 s and was given up."
    assert said[9:] == corner
    _, status, process, warmed = warm.split()
    assert (status, warmed) == ("ok", f"[{process}]") and process != pid
