"""ask_specialist: a picture and a question reach the user's server, and nothing else does; its answer comes back."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tools.adapters.ask_specialist import KEY, MODEL, URL, ask_specialist
from tools.errors import ToolFailed, ToolRetry
from tools.images.facts import Facts
from tools.images.image import MedicalImage

SCAN = MedicalImage(np.arange(400, dtype=np.uint16).reshape(20, 20), facts=Facts("CT", "HU"), window=(200, 400))


class Server:
    """A tiny OpenAI-compatible server on loopback, which keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.status, self.answer = 200, json.dumps({"choices": [{"message": {"content": " A small effusion. "}}]})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.path, dict(self.headers), body))
                self.send_response(outer.status)
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                self.wfile.write(outer.answer.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    made = Server()
    monkeypatch.setenv(URL, f"http://127.0.0.1:{made.http.server_port}/v1")
    monkeypatch.setenv(MODEL, "specialist")
    monkeypatch.setenv(KEY, "secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # is not asked
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()


def ask(image: MedicalImage = SCAN, question: str = "What is it?") -> str:
    return ask_specialist.apply({"image": 1, "question": question}, [image]).text


def test_a_picture_and_a_question_are_sent_and_the_answer_is_told(server: Server) -> None:
    assert ask() == "The specialist says of image 1: A small effusion."
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert (body["model"], len(body["messages"])) == ("specialist", 1)
    picture, words = body["messages"][0]["content"]
    assert words == {"type": "text", "text": "What is it?"}
    sent = Image.open(io.BytesIO(base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))))
    assert (np.asarray(sent) == np.asarray(SCAN.display())).all()
    assert sent.info == {}  # no attribute at all
    assert SCAN.id not in json.dumps(body)


def test_a_picture_with_text_burnt_in_is_not_sent(server: Server) -> None:
    with pytest.raises(ToolRetry, match="use blank_text on it"):
        ask(MedicalImage(SCAN.pixels, facts=Facts("US", burnt_in_text=True)))
    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (500, "{}", "got status 500"),
        (302, "{}", "got status 302"),
        (200, "not json", "an answer without text"),
        (200, '{"choices": []}', "an answer without text"),
        (200, '{"choices": [{"message": {"content": null}}]}', "an answer without text"),
    ],
)
def test_what_a_server_may_answer(server: Server, status: int, answer: str, said: str) -> None:
    server.status, server.answer = status, answer
    with pytest.raises(ToolFailed, match=said):
        ask()
    assert len(server.asked) == 1


def test_no_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "http://127.0.0.1:9/v1")
    with pytest.raises(ToolFailed, match=r"got no answer from its server \(ConnectError\)"):
        ask()
    monkeypatch.setenv(URL, "file:///etc")
    with pytest.raises(ToolFailed, match="expected the address of an OpenAI-compatible server"):
        ask()
