"""What a person is told while vLLM starts, which takes from half a minute to several: what it does, and since when.

On a terminal one line that runs; elsewhere (a log, a notebook, a pipe) a plain line at the start, every quarter of a
minute and at the end. All of it on stderr: what a program prints stays its own.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

STAGES = (
    ("", "importing vLLM"),
    ("non-default args", "reading the checkpoint"),
    ("Resolved architecture", "starting the engine's processes"),
    ("Starting to load model", "loading the weights"),
    ("Loading weights took", "warming up"),
    ("Supported tasks", "opening its endpoints"),
)
"""Words in the log of vLLM 0.29, in the order in which they come, and what it does from then on."""
TELL_S = 15.0


class StartupProgress:
    """Tells it while the context lasts and `goes_on` is called, several times a second."""

    def __init__(self, version: str, log: Path, log_begin: int, wanted: bool) -> None:
        """`log_begin`: where in the log this start begins, in bytes. `wanted`: whether to tell anything."""
        self._log, self._log_begin = log, log_begin
        self._begun = self._told = time.monotonic()
        self._what = f"starting vLLM with {version}"
        on_terminal = sys.stderr.isatty()
        self._by_lines = wanted and not on_terminal
        self._line = tqdm(
            total=None,
            desc=self._what,
            bar_format="{desc}: {elapsed}",
            disable=not (wanted and on_terminal),
            leave=False,
        )
        self._say(f"Starting vLLM with {version}, which may take minutes; its log is {log}")

    def goes_on(self) -> None:
        """Tell the time and the stage, where it is time to."""
        now = time.monotonic()
        if not self._line.disable:
            self._line.set_description_str(f"{self._what}, {self._stage()}", refresh=False)
            self._line.update()
        elif now - self._told >= TELL_S:
            self._told = now
            self._say(f"vLLM has been starting for {now - self._begun:.0f} s: {self._stage()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.close()
        if error is None:
            self._say(f"vLLM is ready after {time.monotonic() - self._begun:.0f} s")

    def _stage(self) -> str:
        with self._log.open("rb") as file:
            file.seek(self._log_begin)
            return stage(file.read().decode("utf-8", errors="replace"))

    def _say(self, text: str) -> None:
        if self._by_lines:
            print(text, file=sys.stderr, flush=True)


def stage(log: str) -> str:
    """What vLLM does now, by what it has logged since it was started."""
    return next(doing for words, doing in reversed(STAGES) if words in log)
