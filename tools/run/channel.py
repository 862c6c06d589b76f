"""Messages between a program and a process of its own, for which nothing else that is written can be taken.

A tool may write into any file that is open in its process, the end of this channel among them, whatever number it has
there. So the channel is a socket that keeps packets apart (one write, one packet), and each packet of an answer begins
with the token of its request, sixteen random bytes: what does not is passed over and counted. An answer is never
damaged, cut or made up by what a tool prints, and when it does so does not matter.
"""

import os
import select
import socket
import time

TOKEN_BYTES = 16
_CHUNK = 24 * 1024
"""Bytes of a message in one packet: any system lets a socket send so many at once."""
_MORE, _LAST = b"+", b"."


def new_token() -> bytes:
    """A token that no tool writes by chance."""
    return os.urandom(TOKEN_BYTES)


def channel() -> tuple["Channel", "Channel"]:
    """Both ends of a new one; neither is inherited by other processes."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(here), Channel(there)


class Channel:
    """One end. Used by one thread at a time, but for `hang_up`."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.strays = 0
        """Packets that came and were no part of the message that was waited for."""

    @classmethod
    def inherited(cls, number: int) -> "Channel":
        """The end that this process was given as the open file `number`; what it starts does not inherit it."""
        os.set_inheritable(number, False)
        return cls(socket.socket(fileno=number))

    def fileno(self) -> int:
        """The number of the open file."""
        return self._end.fileno()

    def send(self, token: bytes, message: bytes) -> None:
        """Sends a message. Raises OSError where nobody can receive it."""
        for start in range(0, max(1, len(message)), _CHUNK):
            kind = _LAST if start + _CHUNK >= len(message) else _MORE
            self._end.send(token + kind + message[start : start + _CHUNK])

    def receive(
        self, token: bytes | None, most_bytes: int | None = None, seconds: float | None = None
    ) -> tuple[bytes, bytes]:
        """The next message with this token (None: with any) as (token, message).

        Raises TimeoutError after so many seconds, EOFError where the other end is closed, ValueError for a message of
        more than `most_bytes`.
        """
        until = None if seconds is None else time.monotonic() + seconds
        message = bytearray()
        while True:
            packet = self._packet(until)
            head, kind = packet[:TOKEN_BYTES], packet[TOKEN_BYTES : TOKEN_BYTES + 1]
            if kind not in (_MORE, _LAST) or (token is not None and head != token):
                self.strays += 1
                continue
            token = head
            message += packet[TOKEN_BYTES + 1 :]
            if most_bytes is not None and len(message) > most_bytes:
                raise ValueError(f"Got a message of more than {most_bytes} bytes, expected at most as many.")
            if kind == _LAST:
                return token, bytes(message)

    def is_quiet(self) -> bool:
        """Whether nothing has come, and the other end is open."""
        return not self._events(0)

    def hang_up(self) -> None:
        """Ends the connection: whoever waits for a message, at either end, gets an EOFError."""
        try:
            self._end.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other end did
            return

    def close(self) -> None:
        """Closes this end."""
        self._end.close()

    def _packet(self, until: float | None) -> bytes:
        while True:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            events = self._events(left)
            if not events:
                continue
            packet = self._end.recv(TOKEN_BYTES + 1 + _CHUNK)
            if not packet and events & (select.POLLHUP | select.POLLERR | select.POLLRDHUP):
                raise EOFError
            return packet

    def _events(self, seconds: float | None) -> int:
        watch = select.poll()  # not select.select: it knows no file beyond number 1023
        watch.register(self._end, select.POLLIN | select.POLLRDHUP)
        found = watch.poll(None if seconds is None else max(0.0, 1000 * seconds))
        return found[0][1] if found else 0
