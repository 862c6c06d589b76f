"""LangGraph's own server from outside: who may speak to it, how much it takes, what it leaves on disk, what it says.

No policy runs: nothing here gets as far as to ask one.
"""

import asyncio
import gzip
import io
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nibabel
import numpy as np
import psutil
import pytest
from PIL import Image

from graphs.app import catalogue
from tests.graphs.app.langgraph_dev import ROOT, Running, langgraph_dev

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
FILE = {"Content-Type": "application/octet-stream"}
STUDIO = "https://smith.langchain.com"
MB = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The server of langgraph.json; its policy would be at an address where nobody listens."""
    with langgraph_dev(tmp_path_factory.mktemp("server"), MEDVISTA_SERVER="http://127.0.0.1:9") as running:
        yield running


@pytest.fixture
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, trust_env=False, timeout=120) as client:
        yield client


def png(*size: int, mode: str = "L") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, "PNG")
    return file.getvalue()


def test_every_graph_of_the_catalogue_is_served(http: httpx.Client) -> None:
    """langgraph.json names one."""
    found = http.post("/assistants/search", json={}).json()
    assert sorted(each["graph_id"] for each in found) == list(catalogue.graphs())


@pytest.mark.parametrize("path", ["/threads", "/runs/wait", "/threads/search", "/store/items"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_what_a_page_may_send_unasked_is_refused(http: httpx.Client, path: str, kind: str | None) -> None:
    """A simple cross-origin request: no browser asks before it sends one."""
    headers = {"Content-Type": kind} if kind else {}
    assert http.post(path, content=b"{}", headers=headers).status_code == 415


def test_an_upload_says_that_it_is_a_file(http: httpx.Client) -> None:
    for kind in ("text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert http.post("/images", content=png(8, 8), headers={"Content-Type": kind}).status_code == 415
    for kind in ("image/png", "application/octet-stream"):
        assert http.post("/images", content=png(8, 8), headers={"Content-Type": kind}).status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "evil.example:2024", "127.0.0.1.evil.example", "user@127.0.0.1"])
@pytest.mark.parametrize("path", ["/threads", "/images", "/ok"])
def test_a_foreign_name_is_refused(http: httpx.Client, host: str, path: str) -> None:
    """A name that was made to point here, by which a page would be of one origin with the server."""
    answer = (
        http.post(path, json={}, headers={"Host": host})
        if path == "/threads"
        else http.get(path, headers={"Host": host})
    )
    assert answer.status_code == 421
    assert http.get("/ok", headers={"Host": f"localhost:{http.base_url.port}"}).status_code == 200
    assert http.get("/ok", headers={"Host": f"[::1]:{http.base_url.port}"}).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": STUDIO}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_foreign_page_is_refused(http: httpx.Client, headers: dict[str, str]) -> None:
    assert http.post("/threads", json={}, headers=headers).status_code == 403
    assert http.get("/ok", headers=headers).status_code == 403
    own = str(http.base_url).rstrip("/")
    assert http.post("/threads", json={}, headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_a_foreign_page_has_no_socket(server: Running) -> None:
    """A browser opens a WebSocket to anywhere, and CORS says nothing of it."""
    import websockets.exceptions
    from websockets.sync.client import connect

    url = server.address.replace("http", "ws") + "/threads/00000000-0000-0000-0000-000000000000/stream/events"
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused, connect(url, origin=STUDIO, proxy=None):
        pass
    assert refused.value.response.status_code == 403


def test_a_request_has_an_end(http: httpx.Client) -> None:
    large = {"metadata": {"x": "y" * (9 * MB)}}
    assert http.post("/threads", json=large).status_code == 413


def grown(server: Running, before: int) -> int:
    """MB that the server's memory has ever grown by."""
    return (peak(server) - before) // MB


def peak(server: Running) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


async def test_small_files_of_large_images_are_decoded_one_at_a_time(server: Running) -> None:
    """8 KB each, 64 million pixels each: eight at once cost what one does."""
    content = png(8000, 8000, mode="P")
    assert len(content) < 9000
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # the peak from here on
    before = psutil.Process(server.process.pid).memory_info().rss
    async with httpx.AsyncClient(base_url=server.address, trust_env=False, timeout=300) as client:
        sent = [
            client.post("/images", content=content, headers=FILE, params={"spacing": f"1,{n}"}) for n in range(1, 9)
        ]
        answers = await asyncio.gather(*sent)
    assert {each.status_code for each in answers} == {201}
    assert grown(server, before) < 800


def test_gzip_is_unpacked_no_further_than_its_header_says(server: Running, http: httpx.Client) -> None:
    """700 MB in 700 KB that are no image, and as many behind the header of a small one."""
    before = psutil.Process(server.process.pid).memory_info().rss
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    small = nibabel.Nifti1Image(np.zeros((8, 8, 2), np.int16), np.eye(4)).to_bytes()
    refused = http.post("/images", content=gzip.compress(bytes(700 * MB), 6), headers=FILE)
    assert (refused.status_code, "neither NIfTI nor DICOM" in refused.text) == (400, True)
    assert http.post("/images", content=gzip.compress(small + bytes(700 * MB)), headers=FILE).status_code == 201
    assert grown(server, before) < 100


def test_a_volume_larger_than_an_upload_may_be(server: Running, http: httpx.Client) -> None:
    before = psutil.Process(server.process.pid).memory_info().rss
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    content = bytearray(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)).to_bytes())
    content[40:56] = np.array([3, 512, 512, 600, 1, 1, 1, 1], np.int16).tobytes()
    refused = http.post("/images", content=gzip.compress(bytes(content) + bytes(300 * MB)), headers=FILE)
    assert refused.status_code == 400 and "expected at most" in refused.text
    assert grown(server, before) < 100


def test_an_empty_volume_is_small_on_disk(server: Running, http: httpx.Client) -> None:
    volume = nibabel.Nifti1Image(np.zeros((512, 512, 200), np.int16), np.eye(4)).to_bytes()
    content = gzip.compress(volume)
    assert len(content) < 500_000
    answer = http.post("/images", content=content, headers=FILE)
    image = answer.json()["id"]
    stored = list((server.log.parent / "runs/application/images").rglob(f"{image}.*"))
    assert stored and sum(path.stat().st_size for path in stored) < 2 * MB
    assert http.get(f"/images/{image}").content.startswith(b"\x89PNG")


def test_a_ct_of_usual_size_is_taken(http: httpx.Client) -> None:
    """157 MB, as a scanner gives them."""
    voxels = np.random.default_rng(0).integers(-1024, 3000, (512, 512, 300), np.int16)
    answer = http.post("/images", content=nibabel.Nifti1Image(voxels, np.eye(4)).to_bytes(), headers=FILE)
    assert (answer.status_code, answer.json()["width"]) == (201, 512)
    much = http.post("/images", content=bytes(257 * MB), headers=FILE)
    assert much.status_code == 400 and "expected at most 268435456" in much.text


def test_what_it_writes_is_its_owners_alone(server: Running, http: httpx.Client) -> None:
    """Under the usual umask, by which all may read."""
    image = http.post("/images", content=png(9, 9), headers=FILE).json()["id"]
    thread = http.post("/threads", json={}).json()["thread_id"]
    http.post(
        f"/threads/{thread}/runs/wait", json={"assistant_id": "no_tools", "input": {"images": [image], "question": "?"}}
    )
    folder = server.log.parent
    made = [path for top in ("runs", ".langgraph_api") for path in [folder / top, *(folder / top).rglob("*")]]
    threads = [path.name for path in made if path.name.startswith("threads.sqlite")]
    assert "threads.sqlite" in threads and folder / "runs/application/images" in made
    others = [
        path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077 and path.parent.name != ".langgraph_api"
    ]
    assert others == []


def failed(http: httpx.Client, graph: str, asked: Any, **more: Any) -> str:
    """What a run that cannot be answered says."""
    answer = http.post("/runs/wait", json={"assistant_id": graph, "input": asked, **more})
    said = answer.json()
    return str(said.get("__error__", {}).get("message", said))


@pytest.mark.parametrize("graph", ["compare_prior", "no_tools", "reasoning", "review", "second_opinion", "verify"])
def test_a_question_that_lacks_something(http: httpx.Client, graph: str) -> None:
    assert failed(http, graph, {"images": []}).startswith("Got no `question`, expected")
    unknown = failed(http, graph, {"images": ["0" * 64] * 2, "question": "?"})
    assert unknown.startswith("Got the image id ") and "does not hold" in unknown


def test_a_context_of_a_wrong_type(http: httpx.Client) -> None:
    image = http.post("/images", content=png(64, 64), headers=FILE).json()["id"]
    asked = {"images": [image], "question": "What is it?"}
    wrong = failed(http, "reasoning", asked, context={"sampling": {"temperature": "hot"}})
    assert wrong.startswith("Got 'hot' as `sampling.temperature`")
    right = failed(http, "reasoning", asked, context={"sampling": {"temperature": 0.5}})
    assert "127.0.0.1:9" in right  # it got as far as the policy


def test_a_configured_page_a_named_host_and_a_key(tmp_path: Path) -> None:
    """What langgraph.json and the environment open, and close."""
    import json

    config = json.loads((ROOT / "langgraph.json").read_text())
    config["dependencies"], config["http"]["cors"]["allow_origins"] = [str(ROOT)], [STUDIO]
    (tmp_path / "langgraph.json").write_text(json.dumps(config))
    opened = {"MEDVISTA_HOSTS": "reader.example", "MEDVISTA_API_KEY": "a secret"}
    with (
        langgraph_dev(tmp_path, tmp_path / "langgraph.json", **opened) as server,
        httpx.Client(base_url=server.address, trust_env=False, timeout=60, headers={"x-api-key": "a secret"}) as http,
    ):
        asked = http.post("/threads", json={}, headers={"Origin": STUDIO, "Host": "reader.example"})
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, STUDIO)
        preflight = {"Origin": STUDIO, "Access-Control-Request-Method": "POST", "x-api-key": ""}
        assert http.options("/threads", headers=preflight).status_code == 200
        for key in ("", "another"):
            assert http.post("/threads", json={}, headers={"x-api-key": key}).status_code == 401
            assert http.get(f"/images/{'0' * 64}", headers={"x-api-key": key}).status_code == 401
        assert http.get(f"/images/{'0' * 64}").status_code == 404
