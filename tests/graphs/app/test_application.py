"""An application: what the environment names, and a policy whose server is looked for when it is first asked."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.policies.policy import Completion, Sampling
from graphs.app import application
from graphs.app.application import LazyPolicy, Settings


def test_the_environment_names_the_parts() -> None:
    named = {
        "SERVER": "http://127.0.0.1:1",
        "TOOLS": "look",
        "IMAGES": "a",
        "THREADS": "postgresql://b",
        "CONTEXT": "9",
    }
    settings = Settings.of_environment({f"MEDVISTA_{name}": value for name, value in named.items()})
    assert settings == Settings(None, "http://127.0.0.1:1", "look", Path("a"), "postgresql://b", 9)
    assert Settings.of_environment({}) == Settings()
    with pytest.raises(ValueError, match="Got MEDVISTA_CONTEXT='many'"):
        Settings.of_environment({"MEDVISTA_CONTEXT": "many"})


class Answering:
    """A server's policy."""

    def __init__(self, version: str) -> None:
        self.version = version

    async def generate(self, *_: object) -> Completion:
        return Completion((7,), (-0.5,), "stop", (self.version,), None)

    async def stream(self, *_: object) -> AsyncIterator[Sequence[int] | Completion]:
        yield (7,)
        yield await self.generate()


@dataclass
class Connected:
    policy: Answering
    alive: list[bool] = field(default_factory=lambda: [True])

    def is_alive(self) -> bool:
        return self.alive[-1]


async def test_a_server_is_looked_for_once_and_again_when_it_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours ends by itself after half an hour without a question: the next one finds or starts another."""
    made = [Connected(Answering("a")), Connected(Answering("b"))]
    asked: list[Any] = []

    def connect(*named: object) -> Connected:
        asked.append(named)
        return made[len(asked) - 1]

    monkeypatch.setattr(application, "connect", connect)
    policy = LazyPolicy(Settings(Path("folder"), "http://127.0.0.1:1", context=9))
    assert (policy.version, asked) == (None, [])
    sampling = Sampling()
    assert (await policy.generate([1], [], sampling)).versions == ("a",)
    assert [each async for each in policy.stream([1], [], sampling)][1].versions == ("a",)  # type: ignore[union-attr]
    assert (policy.version, asked) == ("a", [(Path("folder"), "http://127.0.0.1:1", 9)])
    made[0].alive.append(False)
    assert (await policy.generate([1], [], sampling)).versions == ("b",)
    assert (policy.version, len(asked)) == ("b", 2)
