"""The canonical form of a cassette: values to bytes, the same bytes for the same values.

What is read from these bytes and written again is the same bytes. A response body keeps
every byte; a request body that is JSON keeps its value.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from cassette_stream.cassette.binary import EVENT_STREAM, base64, event_stream
from cassette_stream.cassette.characters import forbidden
from cassette_stream.cassette.frames import fold_frames, milliseconds
from cassette_stream.cassette.json_text import exact_json, write_json
from cassette_stream.cassette.model import (
    FORMAT_VERSION,
    Cassette,
    Ending,
    Headers,
    How,
    Interaction,
    Later,
    Request,
    Response,
)
from cassette_stream.cassette.scalars import block, flow, inline, quoted
from cassette_stream.exceptions import CassetteError

__all__ = ("dump_header", "dump_interaction", "dumps")


def dumps(cassette: Cassette) -> bytes:
    """The file of *cassette*.

    Raises:
        CassetteError: A string holds a lone surrogate, which no YAML can hold.
        ValueError: *cassette* is of a version that this package does not write.
    """
    if cassette.version != FORMAT_VERSION:
        raise ValueError(
            f"cassettes of version {FORMAT_VERSION} are written, not {cassette.version}"
        )
    documents = map(_parts, cassette.interactions)
    header = dump_header(cassette.recorded_with, like=cassette)
    return b"".join([header, *chain.from_iterable(documents)])


def dump_header(recorded_with: str, *, like: Cassette | None = None) -> bytes:
    """The first document of a file, which the interactions follow.

    It is of the minor version of the cassette that it is *like*, and says what that says later.
    """
    minor = f".{like.minor}" if like and like.minor else ""
    version = f"cassette: {FORMAT_VERSION}{minor}\n"
    later = "".join(_later(like.later, "")) if like else ""
    return _encode(f"{version}recorded_with: {inline(recorded_with)}\n{later}")


def dump_interaction(interaction: Interaction) -> bytes:
    """One document, from its ``---`` line to its last line end.

    Raises:
        CassetteError: A string holds a lone surrogate, which no YAML can hold.
    """
    return b"".join(_parts(interaction))


def _parts(interaction: Interaction) -> tuple[bytes, ...]:
    """The document in parts; bodies are long, and joined once."""
    head = _encode("".join(_head(interaction)))
    response = interaction.response
    return (head, *_body(response.body, response.headers)) if response else (head,)


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise CassetteError(
            f"line {line} of what is to be written holds the lone surrogate "
            f"{text[error.start]!r}, which no YAML can hold"
        ) from None


def _head(interaction: Interaction) -> Iterator[str]:
    date = interaction.recorded_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    yield f"---\nrecorded_at: {date}\n"
    if interaction.incomplete:
        yield "incomplete: true\n"
    yield from _later(interaction.later, "")
    yield "request:\n"
    yield from _request(interaction.request)
    if interaction.response is not None:
        yield "response:\n"
        yield from _response_head(interaction.response)
    if interaction.failure is not None:
        yield "failure:\n"
        yield from _ending(interaction.failure, "  ")


def _request(request: Request) -> Iterator[str]:
    yield f"  method: {inline(request.method)}\n"
    yield f"  url: {inline(request.url)}\n"
    yield from _headers(request.headers)
    yield from _later(request.later, "  ")
    value = exact_json(request.body)
    if value is not None:
        yield from write_json(value, "  json:", 2)
    else:
        yield b"".join(_body(request.body, request.headers)).decode()


def _response_head(response: Response) -> Iterator[str]:
    yield f"  status: {response.status}\n"
    if response.reason is not None:
        yield f"  reason: {inline(response.reason)}\n"
    yield f"  http_version: {inline(response.http_version)}\n"
    yield from _headers(response.headers)
    if response.removed_coding is not None:
        yield f"  removed_coding: {inline(response.removed_coding)}\n"
    yield f"  head_after: {milliseconds(response.head_after_us)}\n"
    if response.sizes:
        lines = "\n    ".join(fold_frames(response.sizes, response.gaps_us))
        yield f"  frames: >-\n    {lines}\n"
    if response.ending == Ending(how=How.COMPLETE):
        yield "  ending: complete\n"
    else:
        yield "  ending:\n"
        yield from _ending(response.ending, "    ")
    yield from _later(response.later, "  ")


def _later(later: Later, pad: str) -> Iterator[str]:
    for name, value in later.items():
        yield from write_json(value, f"{pad}{inline(name)}:", len(pad))


def _headers(headers: Headers) -> Iterator[str]:
    if headers:
        yield "  headers:\n"
    for name, values in headers.items():
        yield f"    {inline(name)}: [{', '.join(map(flow, values))}]\n"


def _ending(ending: Ending, pad: str) -> Iterator[str]:
    yield f"{pad}how: {ending.how}\n{pad}after: {milliseconds(ending.after_us)}\n"
    yield from _later(ending.later, pad)
    if ending.failure is not None:
        # The message comes last and on one line, so that a file that was cut cannot lose
        # a part of it.
        yield f"{pad}failure: {ending.failure}\n{pad}message: {inline(ending.message)}\n"


def _body(body: bytes, headers: Headers) -> tuple[bytes, ...]:
    """The key of the body that suits it, and the body; the last of a request or response."""
    if not body:
        return ()
    content_type = "".join(headers.get("content-type", ())[:1]).partition(";")[0]
    if content_type.strip().lower() == EVENT_STREAM and (frames := event_stream(body)):
        return b"  body_base64:", frames
    try:
        body.isascii() or body.decode()
    except UnicodeDecodeError:
        return b"  body_base64: ", base64(body)
    lf = body.replace(b"\r\n", b"\n") if b"\r" in body else body
    crlf = len(lf) < len(body)
    if forbidden(lf) is not None or (crlf and len(body) - len(lf) != lf.count(b"\n")):
        return b"  body: ", quoted(body.decode(), 4).encode(), b"\n"
    return (b"  newline: crlf\n  body: " if crlf else b"  body: ", *block(lf, 4))
