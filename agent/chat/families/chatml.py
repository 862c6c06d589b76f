"""Reading a decoded prompt in ChatML: `<|im_start|>role`, a line break, what was said, `<|im_end|>`."""

import re

START = "<|im_start|>"
_MESSAGE = re.compile(r"<\|im_start\|>(\w+)\n(.*?)<\|im_end\|>", re.DOTALL)
_TURN = f"{START}assistant\n"


def messages(text: str) -> list[tuple[str, str]]:
    """The whole messages in a text: role and content; what was begun before the text, or goes on behind it, is none."""
    return _MESSAGE.findall(text)


def turns_begun(text: str) -> int:
    """How many turns of the assistant begin in a text."""
    return text.count(_TURN)


def after_last_turn(prompt: str) -> list[str]:
    """What the messages behind the assistant's last whole turn say; from the beginning where there is none."""
    heard: list[str] = []
    for role, content in messages(prompt):
        if role == "assistant":
            heard = []
        elif role != "system":
            heard.append(content)
    return heard
