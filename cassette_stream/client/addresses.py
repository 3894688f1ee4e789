"""Addresses that a provider may be at, compared part by part and never as texts."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

__all__ = ("is_within", "read_address")

_PORTS = {"http": 80, "https": 443}


def read_address(address: str, named: str) -> SplitResult:
    """The parts of *address*, which *named* gave.

    Raises:
        ValueError: It is no http or https address, or has more than a place and a query.
    """
    if "@" in address:
        # It is not shown: what stands before it may be a password.
        raise ValueError(
            f"{named} holds an '@'; a user's name and password do not belong there (give api_key "
            "or extra_headers), and in a path it is written %40"
        )
    try:
        parts = urlsplit(address)
        readable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        readable = False
    # A query may hold a key, so it is not shown either.
    shown = re.split(r"[?#]", address, maxsplit=1)[0]
    if not readable or " " in address or not address.isprintable():
        raise ValueError(f"{named} is no http:// or https:// address: {shown!r}")
    if parts.fragment:
        raise ValueError(f"{named} has a part behind '#', which no server gets: {shown!r}")
    return parts


def is_within(address: SplitResult, base: SplitResult) -> bool:
    """Whether *address* has the scheme, host and port of *base*, and a path at or below its."""
    if _origin(address) != _origin(base):
        return False
    path, above = (unquote(each.path).rstrip("/").split("/") for each in (address, base))
    return path[: len(above)] == above and ".." not in path


def _origin(address: SplitResult) -> tuple[str, str | None, int]:
    return address.scheme, address.hostname, address.port or _PORTS[address.scheme]
