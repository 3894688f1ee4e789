"""Refusing connections that no cassette sees, before a byte or a DNS query leaves.

While a session is open, the places where Python code connects or looks up a name ask
whether they may. Without a session nothing is patched. Requests that a session sends
itself run in `allowed`.

What does not pass through Python's `socket` is not seen: uvloop, gRPC, pycurl, curl_cffi
and c-ares do their network in C. Datagrams are not connections and pass.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

from cassette_stream.exceptions import UnguardedConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

__all__ = ("PLAIN_SOCKET", "Refuse", "allowed", "install", "policy", "remove")

Refuse: TypeAlias = "Callable[[str, int, str], str | None]"
"""``(host, port, stack)`` to the reason why not, or None to let it pass. The port is 0 where
it is not known; the stack is a library's name or `PLAIN_SOCKET`."""

PLAIN_SOCKET = "a plain socket"
_UNSEEN = "while a cassette is active, which does not see it"

# The client side of each library by module, since its server side is no reason to think
# that a socket is its own.
_STACKS = {
    "aiohappyeyeballs": "aiohttp",
    "aiohttp.client": "aiohttp",
    "aiohttp.client_reqrep": "aiohttp",
    "aiohttp.connector": "aiohttp",
    "aiohttp.resolver": "aiohttp",
    "boto3": "botocore",
    "botocore": "botocore",
    "http.client": "http.client",
    "httpcore": "httpx",
    "httpcore2": "httpx2",
    "httplib2": "httplib2",
    "httpx": "httpx",
    "httpx2": "httpx2",
    "niquests": "niquests",
    "requests": "requests",
    "tornado.curl_httpclient": "tornado",
    "tornado.simple_httpclient": "tornado",
    "tornado.tcpclient": "tornado",
    "urllib.request": "urllib.request",
    "urllib3": "urllib3",
    "urllib3_future": "niquests",
    "websocket": "websocket-client",
    "websockets": "websockets",
}
# Between two libraries of one chain, these say nothing.
_NEUTRAL = ("asyncio", "concurrent", "contextlib", "socket", "ssl", "threading", __name__)

_allowed: ContextVar[bool] = ContextVar("cassette_stream_allowed", default=False)
_lock = threading.Lock()
_users = 0
_refuse: Refuse | None = None
_undo: list[Callable[[], None]] = []
_sees_asyncio = False
_names: dict[str, str] = {}
"""The names by which addresses were looked up: who may look up a name may connect to it."""


def install(refuse: Refuse) -> None:
    """Ask *refuse* about every connection, from the first user on."""
    global _users, _refuse  # noqa: PLW0603 - the patch is one for the process, and so is its count
    with _lock:
        if _users == 0:
            _refuse = refuse
            _patch_all()
        _users += 1


def remove() -> None:
    """Give the sockets back as they were, with the last user."""
    global _users, _refuse  # noqa: PLW0603 - as above
    with _lock:
        _users -= 1
        if _users == 0:
            _refuse = None
            _names.clear()
            while _undo:
                _undo.pop()()


@contextmanager
def allowed() -> Iterator[None]:
    """Let through what is connected in here, and in tasks that are started in here."""
    if _refuse is not None and not _sees_asyncio:
        _patch_asyncio()
    token = _allowed.set(True)
    try:
        yield
    finally:
        _allowed.reset(token)


def policy(host: str, port: int, stack: str) -> str | None:  # noqa: ARG001 - a Refuse takes it
    """Let this machine's own services pass, and nothing else."""
    if _is_loopback(host):
        return None
    if stack == PLAIN_SOCKET:
        return f"{_UNSEEN}: open the cassette with guard=False if it must"
    return (
        f"{_UNSEEN}: it would be neither recorded nor replayed; send the request with httpx or "
        "httpx2, or open the cassette with guard=False"
    )


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".").lower()
    own = {"", "localhost", "ip6-localhost", socket.gethostname().lower()}
    if name in own or name.endswith(".localhost"):
        return True
    address = _address(name)
    if address is None:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    # To connect to the unspecified address is to connect to this machine.
    return address.is_loopback or address.is_unspecified


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class _Decided(str):
    """A host name that may be looked up, on its way to a thread that knows no context."""

    __slots__ = ()


def _check(host: object, port: object) -> None:
    refuse = _refuse
    if refuse is None or _allowed.get() or isinstance(host, _Decided):
        return
    name, number, stack = _text(host), _number(port), _stack()
    reason = refuse(name, number, stack)
    if reason is not None and name in _names:
        name = _names[name]
        reason = refuse(name, number, stack)
    if reason is not None:
        target = f"[{name}]" if ":" in name else name
        raise UnguardedConnectionError(
            f"{stack} was about to connect to {target}{f':{number}' if number else ''} {reason}"
        )


def _check_lookup(host: object, port: object, flags: int = 0) -> None:
    # An address is not looked up; whether one may connect to it is asked then.
    if host is not None and not flags & socket.AI_NUMERICHOST and _address(_text(host)) is None:
        _check(host, port)


def _note(host: object, addresses: Iterable[str]) -> None:
    if host is not None and _refuse is not None:
        name = _text(host)
        _names.update((address, name) for address in addresses if address != name)


def _check_connection(sock: socket.socket, address: object) -> None:
    if sock.family in {socket.AF_INET, socket.AF_INET6} and sock.type != socket.SOCK_DGRAM:
        match address:
            case (host, port, *_):
                try:
                    _check(host, port)
                except UnguardedConnectionError:
                    # Of those who would connect many close it only after an OSError.
                    sock.close()
                    raise


def _text(host: object) -> str:
    return host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else str(host)


def _number(port: object) -> int:
    return int(port) if isinstance(port, int) or (isinstance(port, str) and port.isdigit()) else 0


def _stack() -> str:
    """The library that is connecting: the outermost of the innermost chain of known ones."""
    found = PLAIN_SOCKET
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads source files
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        known = _known(module)
        if known is not None:
            found = known
        elif found != PLAIN_SOCKET and not module.startswith(_NEUTRAL):
            break
        frame = frame.f_back
    return found


def _known(module: str) -> str | None:
    while module:
        if module in _STACKS:
            return _STACKS[module]
        module = module.rpartition(".")[0]
    return None


def _patch_all() -> None:
    for name in ("connect", "connect_ex"):
        _patch(socket.socket, name, _guarded_connect)
    _patch(socket, "getaddrinfo", _guarded_getaddrinfo)
    for name in ("gethostbyname", "gethostbyname_ex"):
        _patch(socket, name, _guarded_gethostbyname)
    _patch_asyncio()


def _patch_asyncio() -> None:
    """The event loops, once somebody has imported them: that takes long, and not all need it."""
    global _sees_asyncio  # noqa: PLW0603 - the patch is one for the process
    if _sees_asyncio or "asyncio" not in sys.modules:
        return
    from asyncio import base_events, proactor_events  # noqa: PLC0415 - see above

    _sees_asyncio = True
    _undo.append(_forget_asyncio)
    _patch(base_events.BaseEventLoop, "getaddrinfo", _guarded_loop_getaddrinfo)
    # On Windows this loop connects without the socket's own method.
    _patch(proactor_events.BaseProactorEventLoop, "sock_connect", _guarded_sock_connect)


def _forget_asyncio() -> None:
    global _sees_asyncio  # noqa: PLW0603 - as above
    _sees_asyncio = False


def _patch(owner: Any, name: str, guarded: Callable[[Any], Any]) -> None:
    is_own = name in vars(owner)
    original = getattr(owner, name)
    ours = guarded(original)

    def undo() -> None:
        # Somebody may have patched over us: his wrapper calls ours, which then lets pass.
        if vars(owner).get(name) is not ours:
            return
        if is_own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)

    setattr(owner, name, ours)
    _undo.append(undo)


def _guarded_connect(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def connect(self: socket.socket, address: Any, /) -> Any:
        _check_connection(self, address)
        return original(self, address)

    return connect


def _guarded_getaddrinfo(original: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, port: Any, *numbers: int, **options: int) -> Any:
        flags = numbers[3] if len(numbers) > 3 else options.get("flags", 0)
        _check_lookup(host, port, flags)
        found = original(host, port, *numbers, **options)
        _note(host, (address[0] for *_, address in found))
        return found

    return getaddrinfo


def _guarded_gethostbyname(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def gethostbyname(hostname: Any, /) -> Any:
        _check_lookup(hostname, 0)
        found = original(hostname)
        _note(hostname, [found] if isinstance(found, str) else found[2])
        return found

    return gethostbyname


def _guarded_loop_getaddrinfo(original: Callable[..., Any]) -> Callable[..., Any]:
    async def getaddrinfo(self: Any, host: Any, port: Any, **options: int) -> Any:
        _check_lookup(host, port, options.get("flags", 0))
        if isinstance(host, str | bytes | bytearray):
            host = _Decided(_text(host))
        return await original(self, host, port, **options)

    return getaddrinfo


def _guarded_sock_connect(original: Callable[..., Any]) -> Callable[..., Any]:
    async def sock_connect(self: Any, sock: socket.socket, address: Any) -> Any:
        _check_connection(sock, address)
        return await original(self, sock, address)

    return sock_connect
