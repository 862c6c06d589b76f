"""The channel to a tool's process: messages arrive whole, and nothing else that is written there is one."""

import os
import threading

import pytest

from tools.run.channel import TOKEN_BYTES, channel, new_token


def test_a_message_of_any_length_arrives_as_it_is() -> None:
    here, there = channel()
    for length in (0, 1, 24 * 1024 - 1, 24 * 1024, 24 * 1024 + 1, 3_000_000):
        token, message = new_token(), os.urandom(length)
        sender = threading.Thread(target=here.send, args=(token, message))
        sender.start()
        assert there.receive(None) == (token, message)
        sender.join()
    assert there.strays == 0 and there.is_quiet()


def test_what_else_is_written_is_passed_over_wherever_it_comes() -> None:
    here, there = channel()
    token = new_token()
    noises = (b"\0\0\0\5hello", b"", b"x" * 100_000, new_token() + b".forged", token)
    whole = token + b"+first ", token + b".second"
    parts = (*noises, whole[0], *noises, whole[1], b"", b"late")
    writer = threading.Thread(target=lambda: [os.write(there.fileno(), part) for part in parts])
    writer.start()
    assert here.receive(token) == (token, b"first second")
    assert here.strays == 10
    writer.join()
    assert not here.is_quiet()  # the last two are still to come


def test_silence_an_end_and_too_much_are_told_apart() -> None:
    here, there = channel()
    token = new_token()
    with pytest.raises(TimeoutError):
        here.receive(token, seconds=0.05)
    os.write(there.fileno(), b"noise is no reason to wait longer")
    with pytest.raises(TimeoutError):
        here.receive(token, seconds=0.05)
    there.send(token, b"x" * 60_000)
    with pytest.raises(ValueError, match="more than 50000 bytes"):
        here.receive(token, most_bytes=50_000)
    there.close()
    with pytest.raises(EOFError):
        while True:
            here.receive(new_token())
    with pytest.raises(OSError):
        here.send(token, b"")


def test_hanging_up_wakes_who_waits() -> None:
    here, there = channel()
    ended: list[str] = []

    def wait() -> None:
        try:
            here.receive(new_token())
        except EOFError:
            ended.append("end")

    waiting = threading.Thread(target=wait)
    waiting.start()
    here.hang_up()
    waiting.join(10)
    assert ended == ["end"]
    assert not there.is_quiet()
    there.hang_up()  # it is no error to find that the other did
    assert len(new_token()) == TOKEN_BYTES
