"""LangChain's own standard integration tests for chat models, against a real vLLM with the embedded policy.

Two million parameters do not do what they are told. What the suite asks of an answer's form a grammar ensures: a tool
called where one must be, JSON of a schema. The one test that needs understanding (`test_agent_loop`) is expected to
fail on the server and is run on a script instead.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("langchain_tests", reason="pip install langchain-tests==1.1.9")

from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests

from agent.chat_model import PolicyChatModel
from agent.chat_model.families.family import Family
from agent.serving.launch import ServerOptions
from agent.serving.server import VLLMServer
from graphs.checkpoint import open_checkpoint
from tests.agent.chat_model.conftest import Heard
from tools.images.store import ImageStore

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CHECKPOINT = Path(__file__).parents[3] / "rl" / "base" / "checkpoint"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLMServer]:
    """A vLLM server with the embedded policy."""
    options = ServerOptions(max_model_len=2048, environment={"OMP_NUM_THREADS": "1"})
    log = tmp_path_factory.mktemp("server") / "server.log"
    with VLLMServer(open_checkpoint(CHECKPOINT), options, log=log) as server:
        yield server


@pytest.fixture(autouse=True)
def a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's pictures lie on the internet; here it is given one of its own."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)).save(file, "PNG")
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, content=file.getvalue()))


class TestServed(ChatModelIntegrationTests):
    """On the server."""

    address = ""

    @pytest.fixture(autouse=True)
    def addressed(self, server: VLLMServer) -> None:
        """The suite makes models of its own from `chat_model_params`."""
        type(self).address = server.base_url

    @property
    def chat_model_class(self) -> type[PolicyChatModel]:
        return PolicyChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"checkpoint": str(CHECKPOINT), "base_url": self.address, "max_tokens": 400}

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {"temperature": 0.0}

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return True

    @pytest.mark.xfail(reason="Free to choose, the embedded policy calls no weather tool; see the scripted test below.")
    def test_agent_loop(self, model: BaseChatModel) -> None:
        super().test_agent_loop(model)


def test_agent_loop_on_a_script(family: Family, store: ImageStore) -> None:
    """The one test of the suite that needs a policy that understands what it is asked."""
    call = '<think></think><tool_call>{"name": "get_weather", "arguments": {"location": "San Francisco"}}</tool_call>'
    heard = Heard([call, "<think></think><answer>It is sunny.</answer>"], family.encoder)
    ChatModelIntegrationTests.test_agent_loop(TestServed(), PolicyChatModel(policy=heard, family=family, store=store))
    assert "It's sunny." in heard.texts[1]
