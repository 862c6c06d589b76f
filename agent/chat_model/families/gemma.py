"""Gemma 3: user and model take turns strictly, nothing else has a turn; 256 placeholders an image.

So all that is said between two turns of the policy becomes one user turn, a system message stands at the head of the
first, and tools are described and answered in words. An image's frame has empty lines around it, which melt with line
breaks beside them into one token, as in transformers and vLLM.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from agent.chat_model.families.family import Before, Tokens, Tool, after
from agent.chat_model.families.framed import FramedEncoder
from agent.chat_model.families.hermes import HOW_TO_CALL, Hermes
from agent.chat_model.said import Said
from agent.encoder import Encoder, Sized

PAD, START, END = "<image_soft_token>", "<start_of_image>", "<end_of_image>"
Part = dict[str, str]


class Gemma(Hermes):
    """The rules of Gemma 3."""

    name: ClassVar[str] = "gemma"

    @classmethod
    def fits(cls, processor: Any) -> int:
        """Known by the beginning of an image."""
        return 1 if START in processor.tokenizer.get_vocab() else 0

    def encoder_of(self, processor: Any) -> Encoder:
        """The encoder of its frames."""
        return FramedEncoder(processor, PAD, "<end_of_turn>", (PAD, START, END, "<start_of_turn>"))

    def tokens(self, text: str, images: Sequence[Sized]) -> Tokens:
        """The ids of a text that was rendered here."""
        encoder = self.encoder
        assert isinstance(encoder, FramedEncoder)
        grids = [encoder.grid(image) for image in images]
        frames = [f"\n\n{START}{PAD * encoder.placeholders(grid)}{END}\n\n" for grid in grids]
        return encoder.framed(text, START, frames, grids)

    def messages(
        self, group: Sequence[Said], before: Before, tools: Sequence[Tool] = (), opens: bool = False
    ) -> list[dict[str, Any]]:
        """Turns of user and assistant by turns."""
        described = "\n".join(json.dumps(self.plain_values(tool)) for tool in tools)
        parts: list[Part] = [_text(HOW_TO_CALL.format(tools=described))] if opens and tools else []
        turns: list[tuple[str, list[Part]]] = [("user", parts)] if parts else []
        for said in group:
            role = "assistant" if said.role == "assistant" else "user"
            text = self._worded(said, before)
            before = after(before, said)
            if turns and turns[-1][0] == role:
                turns[-1][1].extend([_text("\n\n"), *text])
            else:
                turns.append((role, text))
        return [{"role": role, "content": content} for role, content in turns]

    def _worded(self, said: Said, before: Before) -> list[Part]:
        if said.role == "assistant":
            return [_text(self.plain_turn(self.turn_text(said)))]
        content = self.content(said, before)
        parts = [_text(content)] if isinstance(content, str) else content
        return [_text("<tool_response>\n"), *parts, _text("\n</tool_response>")] if said.role == "tool" else parts

    def rendered(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Tool] = ()) -> str:
        """What the template makes of messages; tools are never its own."""
        return super().rendered(messages)


def _text(text: str) -> Part:
    return {"type": "text", "text": text}
