"""A small server on loopback that speaks /v1/chat/completions and refuses what OpenAI's own refuses."""

import base64
import io
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

KEY = "sk-right"
CONTEXT = 200_000
"""Characters of messages that fit, images left out."""
ALLOWED = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls"},
    "tool": {"role", "content", "tool_call_id"},
}
Reply = dict[str, Any]


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


def says(text: str | None = None, *calls: tuple[str, str], finish: str = "") -> Reply:
    """A reply: a text, and calls of (name, arguments as they are written)."""
    message: Reply = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": f"call_{name}_{place}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for place, (name, arguments) in enumerate(calls)
        ]
    return {"message": message, "finish_reason": finish or ("tool_calls" if calls else "stop")}


class OpenAIServer:
    """What was asked of it, and the replies that it gives in order (the last again and again)."""

    def __init__(self, replies: Sequence[Reply | Refused]) -> None:
        self.replies = list(replies)
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    def answer(self, body: dict[str, Any], key: str) -> Reply:
        """The next reply. Raises Refused."""
        if key != f"Bearer {KEY}":
            raise Refused(401, "Incorrect API key provided", "invalid_api_key")
        if body.get("model") != "small-vision":
            raise Refused(404, f"The model `{body.get('model')}` does not exist", "model_not_found")
        check_messages(body["messages"])
        check_tools(body)
        self.asked.append(body)
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        if isinstance(reply, Refused):
            raise reply
        return reply

    def pixels(self, number: int) -> list[np.ndarray[Any, Any]]:
        """The images of a request, in order."""
        parts = [
            part
            for message in self.asked[number]["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
        ]
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        return [np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))) for url in urls]


def check_messages(messages: list[dict[str, Any]]) -> None:
    """Raises Refused where OpenAI's server would."""
    waiting: list[str] = []
    for message in messages:
        role = message["role"]
        if role not in ALLOWED:
            raise Refused(400, f"Invalid value: {role!r}.")
        if unknown := set(message) - ALLOWED[role]:
            raise Refused(400, f"Additional properties are not allowed ({unknown} were unexpected)")
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                raise Refused(
                    400, "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                )
            waiting.remove(message["tool_call_id"])
        elif waiting:
            raise Refused(
                400,
                "An assistant message with 'tool_calls' must be followed by tool messages "
                f"responding to each 'tool_call_id': {waiting}",
            )
        check_content(role, message)
        for call in message.get("tool_calls", ()):
            if not isinstance(json.loads(call["function"]["arguments"]), dict):
                raise Refused(400, "arguments must be an object")
            waiting.append(call["id"])
    if waiting:
        raise Refused(400, f"tool_call_ids did not have response messages: {waiting}")
    told = [message["content"] for message in messages if isinstance(message["content"], str)]
    if sum(map(len, told)) > CONTEXT:
        raise Refused(400, "This model's maximum context length is exceeded.", "context_length_exceeded")


def check_content(role: str, message: dict[str, Any]) -> None:
    """Images in user messages alone, as PNG that can be read; nothing empty."""
    content = message["content"]
    if not content and not message.get("tool_calls") and role != "tool":
        raise Refused(400, f"Invalid value for 'content' of a {role} message: expected something, got {content!r}.")
    for part in content if isinstance(content, list) else ():
        if part["type"] == "image_url":
            if role != "user":
                raise Refused(400, "Image URLs are only allowed for messages with role 'user'")
            head, _, data = part["image_url"]["url"].partition(",")
            if head != "data:image/png;base64":
                raise Refused(400, f"Invalid image URL {head[:40]}")
            Image.open(io.BytesIO(base64.b64decode(data, validate=True))).load()
        elif part["type"] != "text" or set(part) != {"type", "text"} or not part["text"]:
            raise Refused(400, f"Invalid value {part!r:.60}, supported values are 'text' and 'image_url'")


def check_tools(body: dict[str, Any]) -> None:
    """Tools are described as OpenAI wants them, and chosen only where there are some."""
    for tool in body.get("tools", ()):
        function = tool["function"]
        if tool["type"] != "function" or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", function["name"]):
            raise Refused(400, "Invalid tool")
        if function["parameters"]["type"] != "object":
            raise Refused(400, "Invalid schema for function")
    if "tool_choice" in body and not body.get("tools"):
        raise Refused(400, "tool_choice is only allowed when tools are specified")


@contextmanager
def serving(*replies: Reply | Refused, models: Sequence[str] = ("small-vision",)) -> Iterator[OpenAIServer]:
    """A server that is up while the context lasts."""
    state = OpenAIServer(replies)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

        def send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in models]}
            self.send(200, "application/json", json.dumps(listed).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                reply = state.answer(body, self.headers.get("authorization", ""))
            except Refused as refused:
                error = {"error": {"message": refused.message, "type": "invalid_request_error", "code": refused.code}}
                self.send(refused.status, "application/json", json.dumps(error).encode())
                return
            if body.get("stream"):
                lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks(reply)]
                self.send(200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode())
                return
            usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
            whole = frame("chat.completion") | {"choices": [{"index": 0, **reply}], "usage": usage}
            self.send(200, "application/json", json.dumps(whole).encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def frame(kind: str) -> dict[str, Any]:
    """What every answer holds."""
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "small-vision-2026-01-01"}


def chunks(reply: Reply) -> Iterator[dict[str, Any]]:
    """A reply as a stream: words one by one, then calls in pieces, then how it ended."""
    message = reply["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in re.findall(r"\S+\s*|\s+", message["content"] or "")]
    for index, call in enumerate(message.get("tool_calls", ())):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        head = {"index": index, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [head]})
        for at in range(0, len(arguments), 5):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": arguments[at : at + 5]}}]})
    for delta in deltas:
        yield frame("chat.completion.chunk") | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    last = {"index": 0, "delta": {}, "finish_reason": reply["finish_reason"]}
    yield frame("chat.completion.chunk") | {"choices": [last]}
