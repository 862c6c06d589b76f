"""What a policy of our own format is told, and how its prompts are written, as the text of a chat in Qwen's format.

Decides every character once, for its family (agent/chat/families/medvista.py) and for the base's lessons. An
image stands as `IMAGE`, one placeholder; agent/encoder.py expands it. Images are numbered from 1 in order of
appearance, and each is announced by its number.
"""

IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
END_OF_TURN = "<|im_end|>"
RESEARCH_USE = "You read medical images. Research use only, not a medical device."
COORDINATES = "Images are numbered from 1. Coordinates run from 0 to 999."
HOW_TO_CALL = (
    'Write <think>...</think> and then <tool_call>{"name": ..., "arguments": {...}}</tool_call>, once or several times,'
)
HOW_TO_ANSWER = "or <answer>...</answer>."
HOW_TO_ANSWER_ONLY = "Write <think>...</think> and then <answer>...</answer>."
ABSTAIN = "cannot tell"
HOW_TO_ABSTAIN = f"If the images do not show it, answer {ABSTAIN}."


def plain(text: str) -> str:
    """Text from outside (a question, a tool, a model's reply) that cannot be taken for the chat's own control tokens.

    Half surrogate pairs, which no tokenizer takes, become question marks.
    """
    return text.encode(errors="replace").decode().replace("<|", "< |")


def system_prompt(tool_section: str) -> str:
    """The system prompt; with an empty `tool_section` the one of an agent without tools."""
    if not tool_section:
        return "\n".join((RESEARCH_USE, HOW_TO_ANSWER_ONLY, HOW_TO_ABSTAIN))
    lines = (RESEARCH_USE, "Tools:", tool_section, COORDINATES, HOW_TO_CALL, HOW_TO_ANSWER, HOW_TO_ABSTAIN)
    return "\n".join(lines)


def how_to_read(tools: bool) -> str:
    """What a policy is told whose own template, or whose tools' description, tells how to call and to answer."""
    return "\n".join((RESEARCH_USE, *([COORDINATES] if tools else []), HOW_TO_ABSTAIN))


def opening(system: str, question: str, images: int) -> str:
    """The prompt up to the policy's first turn."""
    shown = "".join(f"Image {number}: {IMAGE}\n" for number in range(1, images + 1))
    start = f"<|im_start|>system\n{system}{END_OF_TURN}\n" if system else ""
    return f"{start}<|im_start|>user\n{shown}{question}{END_OF_TURN}\n<|im_start|>assistant\n"


def user_turn(content: str, question: str) -> str:
    """What follows the policy's turn (whose end token is already there), up to its next turn.

    The question is said again under what was found: a small policy reads what stands before its turn best.
    """
    said = "\n".join(filter(None, (content, plain(question))))
    return f"\n<|im_start|>user\n{said}{END_OF_TURN}\n<|im_start|>assistant\n"


def correction(message: str) -> str:
    """The content of the user turn that answers a turn which could not be read."""
    return f"Your turn could not be read. {plain(message)}"
