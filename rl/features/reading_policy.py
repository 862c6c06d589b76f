"""A policy that any graph can be run with: it decides by what it reads, and writes as its family does.

Where a grammar holds it, it writes the shortest that fits. Where it may hand over, it hands over; where it may look, it
looks, as often in a conversation as it was told; then it answers. Its words are spelt letter by letter, as no tokenizer
would cut them, so that a turn which is tokenised again cannot pass for what was sampled.
"""

import json
import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from zlib import crc32

from PIL.Image import Image

from agent.chat.families.family import Family
from agent.policies.policy import Completion, PolicyError, Sampling
from agent.protocol import Turn
from tools.calls import ToolCall

LOOKS, HANDS_OVER = (re.compile(name + r'[("]') for name in ("zoom_in", "ask_looker"))
"""How a system prompt names the tools of looking and handing over."""
_WORDS = re.compile(r"<[^<>]*>|.", re.DOTALL)
Prompt = tuple[tuple[int, ...], tuple[int, ...]]
"""Ids, and a checksum of each picture."""
SURE = -0.25
"""The natural log-probability of every id."""


@dataclass(frozen=True)
class SpokenTurn:
    """One call of the policy."""

    prompt: tuple[int, ...]
    pictures: tuple[int, ...]
    """A checksum of each."""
    turn: int
    """How often the policy had spoken in this conversation."""
    completion: Completion

    @property
    def asked(self) -> Prompt:
        """What it was asked: equal for the same ids and the same pictures."""
        return self.prompt, self.pictures


@dataclass
class ReadingPolicy:
    """The policy of one episode or of several; `spoken` are its calls, in the order in which they ended."""

    family: Family
    answer: str
    box: tuple[int, int, int, int] = (100, 100, 400, 400)
    """Where it looks, in 0-999 of the first image."""
    looks: int = 1
    """How often it looks in each conversation that lets it."""
    gone: int | None = None
    """After how many calls it is gone; None never."""
    spoken: list[SpokenTurn] = field(default_factory=list[SpokenTurn])

    called: int = 0
    """How often it looked."""

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """Its next turn. Raises PolicyError where it is gone."""
        if self.gone is not None and len(self.spoken) >= self.gone:
            raise PolicyError("The policy is gone, as it was told to be.")
        chat = self.family.decode(token_ids)
        turn = self.family.turns_written(chat)
        text = self._turn(chat, turn, sampling.structure) + self.family.ends[0]
        begun = next(length for length in range(len(text), -1, -1) if chat.endswith(text[:length]))  # a fork's turn
        ids = [id for word in _WORDS.findall(text[begun:]) for id in self.family.encode(word)[0]]
        kept = tuple(ids[: sampling.max_tokens])
        entropies = (0.5,) * len(kept) if sampling.alternatives else ()
        finish = "stop" if len(kept) == len(ids) else "length"
        completion = Completion(kept, (SURE,) * len(kept), finish, ("scripted",), None, entropies)
        pictures = tuple(crc32(image.tobytes()) for image in images)
        self.spoken.append(SpokenTurn(tuple(token_ids), pictures, turn, completion))
        return completion

    async def stream(
        self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling
    ) -> AsyncIterator[Sequence[int] | Completion]:
        """The same, id by id."""
        completion = await self.generate(token_ids, images, sampling)
        for id in completion.token_ids:
            yield [id]
        yield completion

    def _turn(self, chat: str, turn: int, structure: str | None) -> str:
        if structure is not None:
            return shortest(json.loads(structure)["format"], self.answer)
        if turn == 0 and HANDS_OVER.search(chat):
            return self.family.write(Turn("Who?", calls=(ToolCall(name="ask_looker", arguments={}),)))
        if turn < self.looks and LOOKS.search(chat):
            look = ToolCall(name="zoom_in", arguments={"image": 1, "box": list(self.box)})
            self.called += 1
            return self.family.write(Turn("Closer.", calls=(look,)))
        return self.family.write(Turn("I see it.", answer=self.answer))


def shortest(tag: Mapping[str, Any], word: str) -> str:
    """The shortest text that a structural tag lets through; `word` where it lets any."""
    match tag["type"]:
        case "sequence":
            return "".join(shortest(each, word) for each in tag["elements"])
        case "tag":
            return f"{tag['begin']}{shortest(tag['content'], word)}{tag['end']}"
        case "tags_with_separator":
            return shortest(tag["tags"][0], word)
        case "any_text":
            return word
        case "json_schema":
            return json.dumps(least(tag["json_schema"], tag["json_schema"], word))
        case other:
            raise ValueError(f"Got the structural tag {other!r}, expected one that our families write.")


def least(schema: Mapping[str, Any], whole: Mapping[str, Any], word: str) -> Any:
    """The least value of a JSON schema that stands in a `whole` one."""
    if "$ref" in schema:
        for name in str(schema["$ref"]).removeprefix("#/").split("/"):
            whole = whole[name]
        return least(whole, whole, word)
    if "enum" in schema or "const" in schema:
        return schema.get("const", cast("Sequence[Any]", schema.get("enum", [None]))[0])
    if "anyOf" in schema:
        return least(schema["anyOf"][0], whole, word)
    match schema.get("type"):
        case "object":
            needed: Sequence[str] = schema.get("required", ())
            return {name: least(schema["properties"][name], whole, word) for name in needed}
        case "array":
            return [least(schema["items"], whole, word)] * int(schema.get("minItems", 0))
        case "integer" | "number":
            return math.ceil(schema.get("minimum", 0))
        case "boolean":
            return True
        case _:
            return word
