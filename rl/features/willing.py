"""A policy that any graph can be run with: it decides by what it reads, as the embedded policy's family writes it.

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

from agent.encoder import Encoder
from agent.policies.policy import Completion, PolicyError, Sampling
from agent.prompt import END_OF_TURN

SPOKE = "<|im_start|>assistant\n"
LOOKS, HANDS_OVER = "zoom_in(", "ask_looker("
"""How the tools of looking and handing over begin in a system prompt."""
_WORDS = re.compile(r"<[^<>]*>|.", re.DOTALL)
SURE = -0.25
"""The natural log-probability of every id."""


@dataclass(frozen=True)
class Spoken:
    """One call of the policy."""

    prompt: tuple[int, ...]
    pictures: tuple[int, ...]
    """A checksum of each."""
    chat: str
    completion: Completion

    @property
    def asked(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What it was asked: equal for the same ids and the same pictures."""
        return self.prompt, self.pictures

    @property
    def turn(self) -> int:
        """How often the policy had spoken in this conversation."""
        return self.chat.count(SPOKE) - 1


@dataclass
class Willing:
    """The policy of one episode or of several; `spoken` are its calls, in the order in which they ended."""

    encoder: Encoder
    answer: str
    box: tuple[int, int, int, int] = (100, 100, 400, 400)
    """Where it looks, in 0-999 of the first image."""
    looks: int = 1
    """How often it looks in each conversation that lets it."""
    gone: int | None = None
    """After how many calls it is gone; None never."""
    spoken: list[Spoken] = field(default_factory=list[Spoken])

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """Its next turn. Raises PolicyError where it is gone."""
        if self.gone is not None and len(self.spoken) >= self.gone:
            raise PolicyError("The policy is gone, as it was told to be.")
        chat = self.encoder.decode(token_ids)
        begun = chat.rpartition(SPOKE)[2]  # a fork begins inside a turn
        text = self._turn(chat, sampling.structure).removeprefix(begun)
        ids = [id for word in _WORDS.findall(text + END_OF_TURN) for id in self.encoder.encode(word)[0]]
        kept = tuple(ids[: sampling.max_tokens])
        entropies = (0.5,) * len(kept) if sampling.alternatives else ()
        finish = "stop" if len(kept) == len(ids) else "length"
        completion = Completion(kept, (SURE,) * len(kept), finish, ("scripted",), None, entropies)
        pictures = tuple(crc32(image.tobytes()) for image in images)
        self.spoken.append(Spoken(tuple(token_ids), pictures, chat, completion))
        return completion

    async def stream(
        self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling
    ) -> AsyncIterator[Sequence[int] | Completion]:
        """The same, id by id."""
        completion = await self.generate(token_ids, images, sampling)
        for id in completion.token_ids:
            yield [id]
        yield completion

    def _turn(self, chat: str, structure: str | None) -> str:
        if structure is not None:
            return shortest(json.loads(structure)["format"], self.answer)
        turn = chat.count(SPOKE) - 1
        if HANDS_OVER in chat and turn == 0:
            return _call("ask_looker", {})
        if LOOKS in chat and turn < self.looks:
            return _call("zoom_in", {"image": 1, "box": list(self.box)})
        return f"<think>I see it.</think><answer>{self.answer}</answer>"


def _call(name: str, arguments: Mapping[str, Any]) -> str:
    call = json.dumps({"name": name, "arguments": arguments})
    return f"<think>Closer.</think><tool_call>{call}</tool_call>"


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
