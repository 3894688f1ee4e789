"""The reference for what really happens: a socket, a thread, and bytes written by hand.

It shares no code with the package: what the transports raise in-process is compared with
what clients meet here. Only frames of HTTP/2 and what is encrypted are made by libraries.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeAlias

import h2.config
import h2.connection
import h2.errors
import h2.events

__all__ = (
    "Act",
    "Peer",
    "chunk",
    "close",
    "close_notified",
    "deaf",
    "each",
    "free_port",
    "heard",
    "http2",
    "http2_data",
    "http2_end",
    "http2_goaway",
    "http2_head",
    "http2_reset",
    "receive",
    "request",
    "reset",
    "sending",
    "serving",
    "silence",
)

_PATIENCE = 10


class Peer:
    """One connection.

    Attributes:
        socket: What to read from and write to.
        over: The test is over.
        told: The test says that it has got what was sent.
        http2: The state of HTTP/2, where that is spoken.
    """

    http2: h2.connection.H2Connection

    def __init__(self, sock: socket.socket, over: threading.Event, told: threading.Event) -> None:
        self.socket = sock
        self.over = over
        self.told = told


Act: TypeAlias = Callable[[Peer], object]
"""What is done to one connection."""


def sending(data: bytes) -> Act:
    """Write *data*."""
    return lambda peer: peer.socket.sendall(data)


def receive(peer: Peer) -> None:
    """Read what comes first."""
    peer.socket.recv(1000)


def request(peer: Peer) -> bytes:
    """Read the request that comes, with its body: who resets before that gives another failure."""
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


def each(answer: bytes) -> Act:
    """Answer every request on the connection in the same way."""

    def act(peer: Peer) -> None:
        while request(peer):
            peer.socket.sendall(answer)

    return act


def heard(peer: Peer) -> None:
    """Wait until the client has what was sent: a reset would take it back."""
    peer.told.wait(_PATIENCE)


def silence(peer: Peer) -> None:
    """Do nothing, for longer than anybody waits."""
    peer.over.wait(_PATIENCE)


def reset(peer: Peer) -> None:
    """End the connection with a RST."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()


def close(peer: Peer) -> None:
    """End the connection with a FIN; over TLS without a close_notify."""
    peer.socket.shutdown(socket.SHUT_RDWR)
    peer.socket.close()


def close_notified(peer: Peer) -> None:
    """End TLS with a close_notify, and then the connection with a FIN."""
    assert isinstance(peer.socket, ssl.SSLSocket)
    peer.socket.settimeout(0)  # the client's own close_notify is not waited for
    with suppress(ssl.SSLWantReadError):
        peer.socket.unwrap()
    close(peer)


def chunk(data: bytes) -> bytes:
    """*data*, as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def http2(peer: Peer) -> None:
    """Begin to speak HTTP/2, and read until the client has nothing more to write."""
    config = h2.config.H2Configuration(client_side=False, header_encoding=None)
    peer.http2 = h2.connection.H2Connection(config)
    peer.http2.initiate_connection()
    missing = {h2.events.StreamEnded, h2.events.SettingsAcknowledged}
    while missing:
        peer.socket.sendall(peer.http2.data_to_send())
        data = peer.socket.recv(65_536)
        missing -= {type(event) for event in peer.http2.receive_data(data)}
        if not data:
            break
    peer.socket.sendall(peer.http2.data_to_send())


def http2_head(*fields: tuple[str, str]) -> Act:
    """Answer the first request with status 200 and these *fields*."""

    def act(peer: Peer) -> None:
        peer.http2.send_headers(1, [(":status", "200"), *fields])
        peer.socket.sendall(peer.http2.data_to_send())

    return act


def http2_data(data: bytes) -> Act:
    """Send *data*."""

    def act(peer: Peer) -> None:
        peer.http2.send_data(1, data)
        peer.socket.sendall(peer.http2.data_to_send())

    return act


def http2_end(peer: Peer) -> None:
    """Send END_STREAM."""
    peer.http2.end_stream(1)
    peer.socket.sendall(peer.http2.data_to_send())


def http2_reset(code: int) -> Act:
    """Send RST_STREAM."""

    def act(peer: Peer) -> None:
        peer.http2.reset_stream(1, error_code=code)
        peer.socket.sendall(peer.http2.data_to_send())

    return act


def http2_goaway(code: int) -> Act:
    """Send GOAWAY, which takes the first request for the last one."""

    def act(peer: Peer) -> None:
        peer.http2.close_connection(error_code=code, last_stream_id=1)
        peer.socket.sendall(peer.http2.data_to_send())

    return act


@contextmanager
def serving(*acts: Act, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, threading.Event]]:
    """The port where every connection meets *acts*, and the event that is `Peer.told`."""
    over, told = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket) -> None:
        # Clients leave as they please; what they met is what is compared.
        with suppress(OSError), ExitStack() as open_:
            open_.enter_context(sock)
            if tls is not None:
                sock = open_.enter_context(tls.wrap_socket(sock, server_side=True))
            peer = Peer(sock, over, told)
            for act in acts:
                act(peer)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.settimeout(_PATIENCE)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
            thread.join(_PATIENCE)


@contextmanager
def deaf() -> Iterator[int]:
    """A port whose connections are never made: nobody accepts, and the queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as open_:
        port = listener.getsockname()[1]
        for _ in range(4):
            sock = open_.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        yield port


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
