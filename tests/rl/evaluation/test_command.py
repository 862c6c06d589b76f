"""`python -m rl.evaluate` against an OpenAI-compatible server on loopback: one model looks, one does not."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rl.config import ROOT
from rl.evaluate import main
from rl.tasks.sets import load
from rl.tasks.task import Task
from rl.trajectories.__main__ import main as trajectories
from rl.trajectories.store import TrajectoryStore
from tools.images.store import ImageStore

pytest.importorskip("langchain_openai")
COUNT = 10


class Service:
    """Answers chat completions. `looks`: by the first picture's pixels, so that an altered one is not recognised."""

    def __init__(self, store: ImageStore, tasks: list[Task]) -> None:
        self.seen = {store.get(task.images[0]).display().tobytes(): task.answer for task in tasks}
        self.gold = {task.question: task.answer for task in tasks}
        self.asked: list[bytes] = []
        """The first picture of every request."""
        self.kill: tuple[int, int] | None = None
        """(after how many requests, whom)."""

    def reply(self, body: dict[str, Any]) -> str:
        parts = [
            part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]
        ]
        url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        pixels = np.asarray(picture).tobytes()
        self.asked.append(pixels)
        if self.kill is not None and len(self.asked) > self.kill[0]:
            os.kill(self.kill[1], signal.SIGKILL)
        said = json.dumps(body["messages"])
        by_question = next(answer for question, answer in self.gold.items() if json.dumps(question)[1:-1] in said)
        answer = by_question if body["model"] == "blind" else self.seen.get(pixels, "cannot tell")
        return f"<think>I can see it.</think><answer>{answer}</answer>"


@pytest.fixture
def service(gallery: tuple[ImageStore, list[Task]]) -> Iterator[tuple[str, Service]]:
    tasks = list(load("phantoms", gallery[0], "test", COUNT, 0))
    made = Service(gallery[0], tasks)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            message = {"role": "assistant", "content": made.reply(body)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            told = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"]}
            content = json.dumps({**told, "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", made
    server.shutdown()
    thread.join()
    server.server_close()


def line(url: str, out: Path, *more: str) -> list[str]:
    limits = ["--turn-tokens", "96", "--context", "1024", "--count", str(COUNT), "--pairs", "5"]
    return ["--chat-url", url, "--out", str(out), *limits, *more]


def test_a_model_that_looks_and_one_that_does_not(
    service: tuple[str, Service], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, made = service
    policies = ["--policy", "looks=openai:sighted", "--policy", "guesses=openai:blind"]
    assert main(line(url, tmp_path, *policies)) == 0
    report = json.loads((tmp_path / "evaluation.json").read_text())
    looks, guesses = (report["policies"][name] for name in ("looks", "guesses"))
    assert (looks["accuracy"], looks["ci95"], looks["n"]) == (1.0, [1.0, 1.0], COUNT) and looks["images"] == COUNT
    assert guesses["accuracy"] < 1.0 and guesses["n"] == COUNT
    assert looks["counterfactual"]["visual_hallucination_rate"] == {"mean": 0.0, "ci95": [0.0, 0.0], "n": 5}
    assert looks["counterfactual"]["abstained_without_evidence"]["mean"] == 1.0
    assert guesses["counterfactual"]["visual_hallucination_rate"]["mean"] == 1.0
    assert guesses["counterfactual"]["gap"]["mean"] == 0.0
    (difference,) = report["differences"]
    assert (difference["first"], difference["second"], difference["n"]) == ("guesses", "looks", COUNT)
    assert difference["points"] == pytest.approx(100 * (guesses["accuracy"] - 1))
    assert looks["abstention"]["confidence"] is None and looks["abstention"]["aurc"] is None
    told = capsys.readouterr().out
    assert "research use only" in told and "guesses - looks" in told
    for name in ("accuracy", "looking", "coverage"):
        assert Image.open(tmp_path / f"{name}.png").size[0] > 600
    assert f"2 policies on {COUNT} questions" in (tmp_path / "report.html").read_text()
    assert trajectories(["check", str(tmp_path), "--checkpoint", str(ROOT / "rl/toy/checkpoint")]) == 0
    assert "10 for imitation only" in capsys.readouterr().out
    asked = len(made.asked)
    assert main(line(url, tmp_path, *policies)) == 0  # nothing is asked again
    assert len(made.asked) == asked == 30
    assert main(line(url, tmp_path, *policies, "--samples", "2")) == 2
    assert "samples 2 (there 1)" in capsys.readouterr().err


def test_several_samples_tell_how_sure_a_closed_model_is(service: tuple[str, Service], tmp_path: Path) -> None:
    policy = ["--policy", "looks=openai:sighted", "--samples", "2", "--count", "4", "--pairs", "0"]
    assert main([*line(service[0], tmp_path), *policy]) == 0
    looks = json.loads((tmp_path / "evaluation.json").read_text())["policies"]["looks"]
    assert looks["pass_at"]["2"]["mean"] == looks["pass_all"]["2"]["mean"] == 1.0
    assert looks["abstention"]["confidence"] == "agreement_of_samples" and looks["abstention"]["aurc"] == 0.0
    kept = list(TrajectoryStore(tmp_path / "trajectories" / "looks"))
    assert sorted((each.task["id"], each.sample) for each in kept) == [
        (f"phantoms/test/0/{task}", sample) for task in range(4) for sample in range(2)
    ]
    assert len({each.seed for each in kept}) == 8


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_and_repeats_nothing(service: tuple[str, Service], tmp_path: Path) -> None:
    url, made = service
    policy = ["--policy", "looks=openai:sighted", "--pairs", "0", "--concurrency", "1"]
    command = [sys.executable, "-m", "rl.evaluate", *line(url, tmp_path), *policy]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    made.kill = (6, first.pid)
    first.communicate()
    assert first.returncode == -signal.SIGKILL and len(made.asked) == 7
    made.kill = None
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert len(made.asked) == COUNT + 1  # only the one that was in flight is asked twice
    assert len(set(made.asked)) == COUNT
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert report["policies"]["looks"]["episodes"] == COUNT


def test_a_service_that_is_gone_stops_it_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.policies.retry.PatientPolicy.__init__.__defaults__", (1, 0.0))
    status = main(line("http://127.0.0.1:9/v1", tmp_path, "--policy", "openai:gone"))
    assert status == 1 and re.search(r"run the same command again to go on", capsys.readouterr().err)
