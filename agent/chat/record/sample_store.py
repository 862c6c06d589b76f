"""A folder that holds each sample once: what a thread needs to go on, token for token, wherever it goes on.

State and checkpoints name samples by id only. A sample's file is written before its message leaves the model, so before
any checkpoint can name it, and holds what was sampled and how it hangs in the tree of positions: behind which other
sample, and what was rendered between them, as it was rendered then. Images are named by their ids in the store and
stand as ONE placeholder each. So a thread that is resumed in another process, forked from an old checkpoint or
interrupted for days says what it said, even where templates have changed meanwhile. Files are their owner's alone.
"""

import hashlib
import json
import logging
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from agent.chat.families.family import Before, Tokens
from agent.chat.messages import SAMPLE_PREFIX, CallPart, ImagePart, MessageContent
from agent.chat.record.policy_calls import PolicyCall
from agent.chat.record.positions import Position, Turn
from agent.encoder import Span
from agent.policies.policy import Completion
from tools.private_files import private_folder, write_private

SAMPLES = "samples"
"""The folder's name beside the images."""
_ID = re.compile(f"{SAMPLE_PREFIX}[0-9a-f]{{32}}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Piece:
    """Messages that nobody sampled, as they were rendered."""

    key: str
    """Digest of what the messages say."""
    tokens: Tokens
    images: tuple[str, ...]
    before: Before
    """What the conversation holds behind them."""


@dataclass(frozen=True)
class Sample:
    """What a sample's file holds."""

    call: PolicyCall
    said: MessageContent
    completion: Completion
    malformed: bool
    kept: int
    behind: str | None
    """The sample behind whose own position `pieces` begin; None: at the conversation's beginning."""
    pieces: tuple[Piece | str, ...]
    """What stands between; text is the id of a sample that is quoted there."""

    @property
    def needed(self) -> list[str]:
        """Ids of the samples that it hangs on."""
        quoted = [piece for piece in self.pieces if isinstance(piece, str)]
        return quoted if self.behind is None else [self.behind, *quoted]


class SampleStore:
    """Samples by id, on disk. Safe to use from several threads and processes."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def put(self, turn: Turn) -> None:
        """Keeps a turn. Raises WriteError."""
        path = self._path(turn.call.sample)
        if not path.parent.is_dir():  # else every folder above it is looked at
            private_folder(path.parent)
        text = json.dumps(_plain(turn), ensure_ascii=False, separators=(",", ":"))
        write_private(path, zlib.compress(text.encode(errors="surrogatepass")))

    def get(self, sample: str) -> Sample | None:
        """The sample; None, and a warning in the log, where it is missing or its file was damaged."""
        try:
            if not _ID.fullmatch(sample):
                raise ValueError(f"an id is {SAMPLE_PREFIX} and 32 hexadecimal digits")
            text = zlib.decompress(self._path(sample).read_bytes()).decode(errors="surrogatepass")
            found = _sample(json.loads(text))
            if found.call.sample != sample:
                raise ValueError(f"it holds {found.call.sample[:80]}")
        except (OSError, ValueError, TypeError, LookupError, AttributeError, zlib.error) as error:
            told = f"{type(error).__name__}: {error}"
            _log.warning("Got no sample %r (%s); its turn is read as a prompt, never trained.", sample[:80], told)
            return None
        return found

    def _path(self, sample: str) -> Path:
        return self.folder / sample[-2:] / f"{sample}.zlib"


def digest(group: Sequence[MessageContent], tools: str) -> str:
    """Names messages by what they say, in any process; `tools` are those described with them."""
    text = json.dumps([[_plain_said(said) for said in group], tools])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(turn: Turn) -> dict[str, Any]:
    behind, pieces = _between(turn)
    done = turn.completion
    return {
        "call": astuple(turn.call),
        "said": _plain_said(turn.said),
        "ids": done.token_ids,
        "logprobs": done.logprobs,
        "finish_reason": done.finish_reason,
        "versions": done.versions,
        "malformed": turn.malformed,
        "kept": turn.kept,
        "behind": behind,
        "pieces": pieces,
    }


def _between(turn: Turn) -> tuple[str | None, list[dict[str, Any] | str]]:
    """The sample that a turn stands behind, and what is between."""
    pieces: list[dict[str, Any] | str] = []
    at = turn.context
    while at.parent is not None:
        if at.turn is None:
            pieces.append(_plain_piece(at))
        elif at.sampled:
            return at.turn.call.sample, pieces[::-1]
        else:
            pieces.append(at.turn.call.sample)
        at = at.parent
    return None, pieces[::-1]


def _plain_piece(at: Position) -> dict[str, Any]:
    tokens = at.tokens
    plain: dict[str, Any] = {
        "key": at.key,
        "prompt": tokens.prompt,
        "spans": [[span.start, span.length, span.grid] for span in tokens.spans],
        "images": at.images,
        "before": astuple(at.before),
    }
    if _expanded(tokens.prompt, tokens.spans) != tokens.ids:  # a family whose images are no runs of one id
        plain["ids"] = tokens.ids
    return plain


def _expanded(prompt: Sequence[int], spans: Sequence[Span]) -> tuple[int, ...]:
    """The ids of a prompt whose images are runs of one id."""
    ids: list[int] = []
    taken = 0
    for span in spans:
        until = taken + span.start - len(ids)
        ids.extend(prompt[taken:until])
        ids.extend([prompt[until]] * span.length)
        taken = until + 1
    return (*ids, *prompt[taken:])


def _plain_said(said: MessageContent) -> list[Any]:
    parts = [{"image": part.image} if isinstance(part, ImagePart) else part for part in said.parts]
    return [said.role, parts, said.thought, [[call.name, call.arguments] for call in said.calls], said.malformed]


def _sample(plain: dict[str, Any]) -> Sample:
    sample, node, tags, namespace, guided, own_sampling = plain["call"]
    ids, logprobs = tuple(plain["ids"]), tuple(plain["logprobs"])
    return Sample(
        call=PolicyCall(sample, node, tuple(tags), namespace, guided, own_sampling),
        said=_said(*plain["said"]),
        completion=Completion(ids, logprobs, plain["finish_reason"], tuple(plain["versions"]), None),
        malformed=plain["malformed"],
        kept=plain["kept"],
        behind=plain["behind"],
        pieces=tuple(each if isinstance(each, str) else _piece(each) for each in plain["pieces"]),
    )


def _piece(plain: dict[str, Any]) -> Piece:
    spans = tuple(Span(start, length, tuple(grid)) for start, length, grid in plain["spans"])
    prompt = tuple(plain["prompt"])
    ids = tuple(plain["ids"]) if "ids" in plain else _expanded(prompt, spans)
    return Piece(plain["key"], Tokens(ids, prompt, spans), tuple(plain["images"]), Before(*plain["before"]))


def _said(role: Any, parts: Any, thought: str, calls: Any, malformed: Any) -> MessageContent:
    shown = tuple(part if isinstance(part, str) else ImagePart(part["image"]) for part in parts)
    return MessageContent(
        role, shown, thought, tuple(CallPart(name, arguments) for name, arguments in calls), tuple(malformed)
    )
