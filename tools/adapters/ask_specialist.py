"""ask_specialist: a second vision-language model is shown an image and asked, over an OpenAI-compatible address.

The address is the user's own setting: no call can name another one, and redirections are not followed. The picture is
sent as it is displayed, as a PNG without any attribute, and the question; nothing else. A picture that is said to have
text burnt in is not sent.
"""

import base64
import io
import os
from typing import Annotated, Any

import httpx
from pydantic import Field

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.medical_tool import medical_tool

URL, MODEL, KEY = "MEDVISTA_SPECIALIST_URL", "MEDVISTA_SPECIALIST_MODEL", "MEDVISTA_SPECIALIST_KEY"
"""Environment variables: the address up to /v1, the model's name there, and its key, which may be missing."""

SECONDS = 60.0
MOST_TOKENS = 300


@medical_tool(family="adapters", version="1", needs=f"the settings {URL} and {MODEL}")
def ask_specialist(
    image: MedicalImage,
    question: Annotated[str, Field(min_length=1, max_length=500, examples=["Is there a pleural effusion?"])],
) -> Evidence:
    """Ask another vision-language model a question about an image; its answer may be wrong."""
    url, model = os.environ.get(URL, ""), os.environ.get(MODEL, "")
    if not url.startswith(("http://", "https://")) or not model:
        raise ToolFailed(
            f"ask_specialist: {URL} or {MODEL} is not set; expected the address of an OpenAI-compatible server, e.g. "
            "http://127.0.0.1:8000/v1, and a model's name."
        )
    if image.facts.burnt_in_text:
        raise ToolRetry(
            f"ask_specialist: image {image.number} has text burnt in, which may name a person; use blank_text on it "
            "and ask about what that shows."
        )
    return Evidence(text=f"The specialist says of image {image.number}: {_answer(url, model, image, question)}")


def _answer(url: str, model: str, image: MedicalImage, question: str) -> str:
    file = io.BytesIO()
    image.display().save(file, "PNG")
    shown = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    content = [{"type": "image_url", "image_url": {"url": shown}}, {"type": "text", "text": question}]
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": MOST_TOKENS,
        "temperature": 0,
    }
    key = os.environ.get(KEY)
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/chat/completions",
            json=asked,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=SECONDS,
            follow_redirects=False,
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ToolFailed(f"ask_specialist: got no answer from its server ({type(error).__name__}).") from None
    if answer.status_code != 200:
        raise ToolFailed(f"ask_specialist: got status {answer.status_code} from its server, expected 200.")
    try:
        said: Any = answer.json()["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError):
        said = None
    if not isinstance(said, str) or not said.strip():
        raise ToolFailed("ask_specialist: got an answer without text from its server, expected a chat completion.")
    return said.strip()
