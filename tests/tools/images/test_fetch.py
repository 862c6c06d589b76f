"""Fetching: only from named hosts, no redirections, no more than the limit. A server on this machine answers."""

import http.server
import io
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tools.errors import ImageError
from tools.images.limits import Limits
from tools.images.load import load_image

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/scan.png")
            self.end_headers()
            return
        file = io.BytesIO()
        Image.fromarray(PIXELS).save(file, "PNG")
        self.send_response(200 if self.path == "/scan.png" else 404)
        self.end_headers()
        self.wfile.write(file.getvalue())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()


def test_a_named_host_is_asked(server: str) -> None:
    assert (load_image(f"{server}/scan.png", hosts=["127.0.0.1"]).pixels == PIXELS).all()


@pytest.mark.parametrize("hosts", [(), ("example.org",), ("127.0.0.1.example.org",)])
def test_no_other_host_is(server: str, hosts: tuple[str, ...]) -> None:
    with pytest.raises(ImageError, match="not allowed") as error:
        load_image(f"{server}/DOE_JOHN.png", hosts=hosts)
    assert "DOE" not in str(error.value)


def test_other_schemes_are_not() -> None:
    for address in ("ftp://127.0.0.1/scan.png", "file:///etc/passwd", "http://127.0.0.1@example.org/"):
        with pytest.raises(ImageError, match="not allowed"):
            load_image(address, hosts=["127.0.0.1"])


def test_a_redirection_is_not_followed(server: str) -> None:
    with pytest.raises(ImageError, match="status 302"):
        load_image(f"{server}/moved", hosts=["127.0.0.1"])


def test_what_fails_is_said(server: str) -> None:
    with pytest.raises(ImageError, match="status 404"):
        load_image(f"{server}/none", hosts=["127.0.0.1"])
    with pytest.raises(ImageError, match="no answer from 127"):
        load_image("http://127.0.0.1:1/scan.png", hosts=["127.0.0.1"])
    with pytest.raises(ImageError, match="at most 20"):
        load_image(f"{server}/scan.png", hosts=["127.0.0.1"], limits=Limits(file_bytes=20))
