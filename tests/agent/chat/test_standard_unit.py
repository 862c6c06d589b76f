"""LangChain's own standard unit tests for chat models."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain_tests", reason="pip install langchain-tests==1.1.9")

from langchain_tests.unit_tests import ChatModelUnitTests

from agent.chat import PolicyChatModel

CHECKPOINT = Path(__file__).parents[3] / "rl" / "toy" / "checkpoint"


class TestStandard(ChatModelUnitTests):
    """Every test of the suite; the model is not serialisable by LangChain (it has a policy), so that one is skipped."""

    @property
    def chat_model_class(self) -> type[PolicyChatModel]:
        return PolicyChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"checkpoint": str(CHECKPOINT), "base_url": "http://127.0.0.1:1", "model": "policy"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        named = {"MEDVISTA_CHECKPOINT": str(CHECKPOINT), "MEDVISTA_SERVER": "http://127.0.0.1:1"}
        return named, {}, {"checkpoint": str(CHECKPOINT), "base_url": "http://127.0.0.1:1"}
