"""The reference for what really happens: a socket, a thread, and bytes written by hand.

It shares no code with the package: what the transports raise in-process is compared with
what clients raise here.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

__all__ = ("Handler", "Peer", "close", "read_request", "reset", "serving")


class Peer:
    """One connection as a handler sees it.

    Attributes:
        socket: What to read from and write to.
        over: The test is over.
        told: The test says that it has got what was sent.
    """

    def __init__(self, sock: socket.socket, over: threading.Event, told: threading.Event) -> None:
        self.socket = sock
        self.over = over
        self.told = told


Handler: TypeAlias = Callable[[Peer], object]


def read_request(peer: Peer) -> bytes:
    """The request that comes, with its body: who resets before that meets another failure."""
    data = b""
    while b"\r\n\r\n" not in data and (more := peer.socket.recv(65_536)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (more := peer.socket.recv(missing)):
        data += more
        missing -= len(more)
    return data


def reset(peer: Peer) -> None:
    """End the connection with a RST."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()


def close(peer: Peer) -> None:
    """End the connection with a FIN; over TLS without a close_notify."""
    peer.socket.shutdown(socket.SHUT_RDWR)
    peer.socket.close()


@contextmanager
def serving(
    handle: Handler, *, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, threading.Event]]:
    """The port where every connection is handled by *handle*, and the event that is `Peer.told`."""
    over, told = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket) -> None:
        # Clients leave as they please; what they met is what is compared.
        with suppress(OSError), sock:
            if tls is None:
                handle(Peer(sock, over, told))
            else:
                with tls.wrap_socket(sock, server_side=True) as wrapped:
                    handle(Peer(wrapped, over, told))

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(10)
                thread = threading.Thread(target=serve, args=(sock,))
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[1], told
    finally:
        over.set()
        told.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        listener.close()
        for thread in (acceptor, *threads):
            thread.join(10)
