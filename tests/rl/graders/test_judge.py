"""The model judge against a server on loopback: asked once, kept, said aloud, and refused where it is unclear."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rl.graders import grade
from rl.graders.judge import JudgeError

RULES = {"question": "Where is the mass?"}
Serve = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server that replies with given texts in turn, and returns the requests that it got."""
    servers: list[ThreadingHTTPServer] = []

    def start(*replies: str, status: int = 200) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                message = {"role": "assistant", "content": replies[(len(asked) - 1) % len(replies)]}
                body = json.dumps({"choices": [{"message": message}]}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MEDVISTA_JUDGE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("MEDVISTA_JUDGE_MODEL", "some-model")
        monkeypatch.setenv("MEDVISTA_JUDGE_CACHE", str(tmp_path / "verdicts"))
        return asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_verdict_is_asked_for_once_kept_and_logged(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = serve("<think>not WRONG</think> RIGHT")
    with caplog.at_level(logging.WARNING):
        assert [grade("judge", "base of the right lung", "right lower lobe", RULES) for _ in range(3)] == [1.0] * 3
    assert len(asked) == 1
    assert asked[0]["model"] == "some-model" and asked[0]["temperature"] == 0
    assert json.loads(asked[0]["messages"][1]["content"])["question"] == "Where is the mass?"
    (kept,) = (tmp_path / "verdicts").iterdir()
    assert json.loads(kept.read_text())["verdict"] == "right"
    assert len(caplog.records) == 1 and "some-model" in caplog.text


def test_a_wrong_answer_is_wrong(serve: Serve) -> None:
    serve("wrong.")
    assert grade("judge", "brain", "right lower lobe", RULES) == 0.0


def test_what_a_rule_can_tell_is_not_sent(serve: Serve) -> None:
    asked = serve("RIGHT")
    assert grade("judge", "The right lower lobe", "right lower lobe", RULES) == 1.0
    assert grade("judge", "everything " * 100, "right lower lobe", RULES) == 0.0
    assert grade("judge", "", "right lower lobe", RULES) == 0.0
    assert asked == []


@pytest.mark.parametrize("reply", ["", "I think so", "RIGHT or WRONG"])
def test_an_unclear_verdict_is_no_verdict(serve: Serve, reply: str) -> None:
    serve(reply)
    with pytest.raises(JudgeError, match="expected RIGHT or WRONG"):
        grade("judge", "base", "right lower lobe", RULES)


def test_a_server_that_fails_is_no_verdict(serve: Serve) -> None:
    serve("RIGHT", status=500)
    with pytest.raises(JudgeError, match="verdicts so far are kept"):
        grade("judge", "base", "right lower lobe", RULES)


def test_without_a_judge_grading_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "MODEL", "CACHE"):
        monkeypatch.delenv(f"MEDVISTA_JUDGE_{name}", raising=False)
    with pytest.raises(JudgeError, match="MEDVISTA_JUDGE_URL, MEDVISTA_JUDGE_MODEL, MEDVISTA_JUDGE_CACHE"):
        grade("judge", "base", "right lower lobe", RULES)
