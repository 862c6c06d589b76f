"""Chat models by their names: which name is which model, and what is said of one that cannot be had."""

import builtins
from typing import Any

import pytest
from pydantic import SecretStr

from agent.chat.provider.names import ModelNameError, chat_model_named
from agent.policies.policy import PolicyError
from agent.serving.key import VARIABLE
from tests.agent.chat.openai_server import KEY, says, serving

openai = pytest.importorskip("langchain_openai", reason="pip install 'medvista[chat]'")


def test_a_provider_and_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    model: Any = chat_model_named("openai:small-vision")
    assert isinstance(model, openai.ChatOpenAI) and model.model_name == "small-vision"
    assert model.openai_api_key == SecretStr("sk-mine")


@pytest.mark.parametrize("name", ["gpt-5", ":gpt-5", "openai:", "a path:x", ""])
def test_what_names_no_model(name: str) -> None:
    with pytest.raises(ModelNameError, match="expected PROVIDER:MODEL, such as openai:gpt-5, or http"):
        chat_model_named(name)


def test_an_unknown_provider_and_a_missing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(PolicyError, match="Supported providers"):
        chat_model_named("nobody:model")
    with pytest.raises(PolicyError, match="OPENAI_API_KEY"):
        chat_model_named("openai:small-vision")


@pytest.mark.parametrize(
    ("missing", "name", "install"),
    [
        ("langchain.chat_models", "openai:small-vision", "pip install 'medvista[chat]'"),
        ("langchain_anthropic", "anthropic:model", "pip install langchain langchain-anthropic"),
    ],
)
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, missing: str, name: str, install: str) -> None:
    import_module: Any = builtins.__import__

    def without(module: str, *rest: Any) -> Any:
        if module == missing:
            raise ImportError(f"No module named {module!r}", name=module)
        return import_module(module, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ModelNameError) as caught:
        chat_model_named(name)
    assert install in str(caught.value)


async def test_a_server_by_its_address_shown_the_key_and_asked_past_every_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    for proxy in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(says("Yes.")) as server:
        for address in (server.url, f"{server.url}/#small-vision"):
            model = chat_model_named(address)
            assert model.invoke("?").text == (await model.ainvoke("?")).text == "Yes."


def test_a_server_that_serves_several_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(says("Yes."), models=("a", "b")) as server:
        with pytest.raises(ModelNameError, match=r"whose models are a, b; expected http://127.0.0.1:\d+/v1#MODEL"):
            chat_model_named(server.url)
        assert getattr(chat_model_named(f"{server.url}#b"), "model_name", "") == "b"
    with pytest.raises(PolicyError, match="ConnectError from the chat model http"):
        chat_model_named("http://127.0.0.1:9/v1")
