"""Fetching an image from a network, only from hosts that the caller names, and only what is asked for.

Redirections are not followed: they could lead to a host that nobody allowed.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from tools.errors import ImageError
from tools.images.limits import Limits

SECONDS = 30.0
"""For a connection, and for each piece of the answer."""


def fetch(address: str, hosts: Collection[str], limits: Limits) -> bytes:
    """The bytes at an http or https address on one of `hosts`. Raises ImageError, which does not repeat the address."""
    parts = urlsplit(address)
    if parts.scheme.lower() not in ("http", "https") or parts.hostname not in hosts:
        allowed = f"one of {', '.join(sorted(hosts))}" if hosts else "none: images are not fetched unless hosts= allows"
        raise ImageError(
            f"Got a {parts.scheme} address on a host that was not allowed, expected http or https on {allowed}. "
            "Download the image first, or name its host."
        )
    import httpx

    content = bytearray()
    try:
        with httpx.stream("GET", address, follow_redirects=False, timeout=SECONDS, trust_env=False) as answer:
            if answer.status_code != 200:
                raise ImageError(f"Got status {answer.status_code} from {parts.hostname}, expected 200 and an image.")
            for piece in answer.iter_bytes():
                content += piece
                limits.check_bytes(len(content))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ImageError(f"Got no answer from {parts.hostname} ({type(error).__name__}). Try again.") from None
    return bytes(content)
