"""Who may connect: what no session sees goes nowhere, and where all is blocked nothing does.

A session decides for the code that it answers; where none does, the innermost block does.
This machine's own services are always reached.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cassette_stream.session import current
from cassette_stream.session.options import host_patterns, is_host_among
from cassette_stream.transport import guard

__all__ = ("block_network", "refusal")

_blocks: list[tuple[str, ...]] = []
_lock = threading.Lock()


@contextmanager
def block_network(*, allowed_hosts: Sequence[str] = ()) -> Iterator[None]:
    """Refuse connections to other machines within the block, whichever library makes them.

    A cassette that is open meanwhile plays and records as its mode says.

    Args:
        allowed_hosts: Hosts that may be reached nevertheless; ``*`` stands for anything.

    Raises:
        TypeError: *allowed_hosts* is a single text.
        UnguardedConnectionError: Within the block, at the connection.
    """
    block = host_patterns("allowed_hosts", allowed_hosts)
    guard.install(refusal)
    with _lock:
        _blocks.append(block)
    try:
        yield
    finally:
        with _lock:
            # By identity: another block may allow the same hosts.
            del _blocks[next(i for i, other in enumerate(_blocks) if other is block)]
        guard.remove()


def refusal(host: str, port: int, stack: str) -> str | None:
    """Why a connection may not leave; None if it may. The guard asks this."""
    reason = guard.policy(host, port, stack)
    if reason is None:
        return None
    session = current.find()
    if session is not None:
        return None if session.lets_out(host) else reason
    with _lock:
        block = _blocks[-1] if _blocks else None
    if block is None or is_host_among(host, block):
        return None
    return "while the network is blocked: open a cassette, or name the host in allowed_hosts"
