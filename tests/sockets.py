"""Where processes listen, as the machine sees it."""

from collections.abc import Iterable

import psutil

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")


def with_descendants(pid: int) -> list[int]:
    """The process and all that it started, as far as that is still below it."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def listening(pids: Iterable[int]) -> list[tuple[str, str, int]]:
    """Program, address and port of every TCP or UDP socket that waits for others."""
    found: list[tuple[str, str, int]] = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            name, sockets = process.name(), process.net_connections("inet")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        waiting = [each for each in sockets if each.status == psutil.CONN_LISTEN or not (each.raddr or each.status)]
        found += [(name, each.laddr.ip, each.laddr.port) for each in waiting if each.laddr]
    return found


def beyond_loopback(pids: Iterable[int]) -> list[tuple[str, str, int]]:
    """Those that more than this machine reaches."""
    return [each for each in listening(pids) if each[1] not in LOOPBACK]


def holder(address: str) -> int:
    """The process that listens at a URL of this machine."""
    port = int(address.rpartition(":")[2])
    waiting = [each for each in psutil.net_connections("inet") if each.status == psutil.CONN_LISTEN]
    return next(each.pid for each in waiting if each.laddr.port == port and each.pid)
