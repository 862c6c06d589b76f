"""LangChain's own standard unit tests on the wrapped model of a provider."""

from typing import Any

import pytest

pytest.importorskip("langchain_tests", reason="pip install langchain-tests==1.1.9")
pytest.importorskip("langchain_openai", reason="pip install 'medvista[chat]'")

from langchain_openai import ChatOpenAI
from langchain_tests.unit_tests import ChatModelUnitTests

from agent.chat.provider.model import ProviderChatModel


class TestStandard(ChatModelUnitTests):
    """Every test of the suite."""

    @property
    def chat_model_class(self) -> type[ProviderChatModel]:
        return ProviderChatModel

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        return {}  # temperature and the like are the wrapped model's

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": ChatOpenAI(model="small-vision", api_key="sk-none", base_url="http://127.0.0.1:1/v1")}  # type: ignore[arg-type]
