"""What is fuzzed: everything that reads bytes of others, and what each may say of them.

A target takes any bytes, and raises only if it found a fault of the reader: an exception
that is not documented, an error without a place, or an outcome that depends on where the
network cut.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from zlib import crc32

from mutations import Material
from support import PROJECT

from cassette_stream.cassette import CassetteReader, check_written, dumps, loads, refit
from cassette_stream.cassette.schema import _INTERACTION, _REQUEST, _RESPONSE
from cassette_stream.chunks import NormalForm
from cassette_stream.chunks.accumulate import ResponseAccumulator
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.exceptions import (
    APIError,
    CassetteFormatError,
    PlanError,
    WireFormatError,
)
from cassette_stream.faults import catalogue, parse_rule, read_plan, text_of, write_plan
from cassette_stream.wire import EventStreamDecoder, JSONArrayDecoder, NDJSONDecoder, SSEDecoder

__all__ = ("TARGETS", "Target")


@dataclass(frozen=True, slots=True)
class Target:
    """A reader: what *reads* an input, told by a generator how to cut it, and what it is fed.

    *strategy* names the strategy of Hypothesis that makes more seeds. *mended* is of an input
    what a reader looks further into.
    """

    reads: Callable[[bytes, random.Random], None]
    words: Sequence[bytes]
    fixtures: Callable[[], Iterator[bytes]]
    strategy: str
    mended: Callable[[bytes], bytes] = bytes

    def material(self, more: Sequence[bytes]) -> Material:
        return Material([*self.fixtures(), *more], self.words)


def _files() -> Iterator[bytes]:
    for path in sorted([*PROJECT.glob("fixtures/*.yaml"), *PROJECT.glob("tests/golden/*.yaml")]):
        yield path.read_bytes()


def _bodies(prefix: str = "") -> Callable[[], Iterator[bytes]]:
    def read() -> Iterator[bytes]:
        for path in sorted(PROJECT.glob(f"fixtures/{prefix}*.yaml")):
            for held in loads(path.read_bytes(), file=path.name).interactions:
                if held.response is not None:
                    yield held.response.body

    return read


def _cut(rng: random.Random, data: bytes) -> list[bytes]:
    places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((1, 2, 8, 40))))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def _same(one: object, other: object) -> None:
    if one != other and repr(one) != repr(other):  # the second for NaN, which is not itself
        raise AssertionError(f"{one!r:.400} is not {other!r:.400}")


def _placed(error: CassetteFormatError, data: bytes) -> None:
    lines = data.count(b"\n") + data.count(b"\r") + 1
    if not (error.file == "x.yaml" and 1 <= error.line <= lines and error.column >= 1):
        raise AssertionError(f"an error without its place: {error}")
    if not (error.message and str(error).startswith("x.yaml:")):
        raise AssertionError(f"an error without words: {error}")


def _cassette(data: bytes, rng: random.Random) -> None:
    try:
        reader = CassetteReader(data, file="x.yaml")
    except CassetteFormatError as error:
        return _placed(error, data)
    whole = True
    for at in range(len(reader)):
        for read in rng.sample((reader.request, reader.interaction), 2):
            try:
                read(at)
            except CassetteFormatError as error:
                whole = False
                _placed(error, data)
    try:
        mended = loads(refit(data, file="x.yaml"), file="x.yaml")
    except CassetteFormatError as error:
        return _placed(error, data)
    if whole:
        _same(mended, loads(data, file="x.yaml"))
    written = dumps(mended)
    check_written(written, mended)
    _same(dumps(loads(written, file="x.yaml")), written)
    return None


def _with_header(data: bytes) -> bytes:
    """*data* with a header and a last line end, without which nobody gets to what is between."""
    _, dashes, rest = data.partition(b"---\n")
    version = b"1.7" if len(data) % 4 == 0 else b"1"  # a later one may hold what is not known
    body = (rest if dashes else data).replace(b"\r", b"")
    return b"cassette: %b\n---\n%b\n" % (version, body)


def _outcome(decoder: Any, pieces: Sequence[bytes], *finish: Any) -> object:
    seen: list[Any] = []
    try:
        for piece in pieces:
            seen.extend(decoder.feed(piece))
        if hasattr(decoder, "finish"):
            seen.extend(decoder.finish(*finish) or ())
    except WireFormatError as error:
        return seen, str(error)
    told = [getattr(decoder, name, None) for name in ("last_event_id", "retry", "stray")]
    return seen, decoder.pending, getattr(decoder, "truncated", None), told


def _sse(data: bytes, rng: random.Random) -> None:
    options: dict[str, Any] = {
        "offsets": rng.random() < 0.5,
        "errors": rng.choice(("strict", "replace")),
        "max_event_bytes": rng.choice((40, 1_000, 1 << 26)),
    }
    pieces = _cut(rng, data)
    whole = _outcome(SSEDecoder(**options), [data])
    _same(_outcome(SSEDecoder(**options), pieces), whole)
    piped = SSEDecoder(**options)
    with suppress(WireFormatError):
        list(piped.decode(pieces, lenient=True))


def _events(data: bytes, rng: random.Random) -> None:
    pieces = _cut(rng, data)
    _same(_outcome(EventStreamDecoder(), pieces), _outcome(EventStreamDecoder(), [data]))


def _with_checksums(data: bytes) -> bytes:
    """*data* with checksums that are true, without which nobody gets to what is behind them."""
    made, start = bytearray(data), 0
    while start + 16 <= len(data):
        end = start + int.from_bytes(data[start : start + 4])
        made[start + 8 : start + 12] = crc32(made[start : start + 8]).to_bytes(4)
        if not start + 16 <= end <= len(data):
            break
        made[end - 4 : end] = crc32(made[start : end - 4]).to_bytes(4)
        start = end
    return bytes(made)


def _array(data: bytes, rng: random.Random) -> None:
    limit = rng.choice((40, 1 << 26))
    one, other = (JSONArrayDecoder(max_object_bytes=limit) for _ in range(2))
    _same(_outcome(one, _cut(rng, data)), _outcome(other, [data]))


def _lines(data: bytes, rng: random.Random) -> None:
    options: dict[str, Any] = {
        "offsets": rng.random() < 0.5,
        "errors": rng.choice(("strict", "replace")),
        "max_line_bytes": rng.choice((40, 1_000, 1 << 26)),
    }
    one, other = (NDJSONDecoder(**options) for _ in range(2))
    _same(_outcome(one, _cut(rng, data)), _outcome(other, [data]))


def _dialect(dialect: ModuleType) -> Callable[[bytes, random.Random], None]:
    def read(data: bytes, rng: random.Random) -> None:
        strict = rng.random() < 0.6
        whole = _said(dialect.Decoder(strict=strict), [data])
        _same(_said(dialect.Decoder(strict=strict), _cut(rng, data)), whole)

    return read


def _said(decoder: Any, pieces: Sequence[bytes]) -> object:
    """What a caller gets: the chunks in normal form, the answer that they make, the error."""
    form, answer = NormalForm(include_usage=True, id="i", created=1), ResponseAccumulator()
    chunks: list[Any] = []
    ending: object = None

    def take(raw: Any) -> None:
        for chunk in form.feed(raw):
            chunks.append(chunk.model_dump())
            answer.add(chunk)

    try:
        for piece in pieces:
            take(decoder.feed(piece))
        take(decoder.finish())
    except APIError as error:
        ending = type(error), error.message
    for chunk in form.end():
        chunks.append(chunk.model_dump())
        answer.add(chunk)
    response = answer.response()
    return chunks, ending, decoder.warnings, response and response.model_dump()


def _plan(data: bytes, _: random.Random) -> None:
    try:
        plan = read_plan(data, file="x.yaml")
    except PlanError as error:
        if not str(error).startswith("x.yaml"):
            raise AssertionError(f"an error without its file: {error}") from None
        return
    _same(read_plan(write_plan(plan)), plan)


def _rule(data: bytes, _: random.Random) -> None:
    try:
        rule = parse_rule(data.decode("utf-8", "replace"))
    except PlanError:
        return
    _same(parse_rule(text_of(rule)), rule)


_KEYS = [f"{key}: ".encode() for key in {**_INTERACTION, **_REQUEST, **_RESPONSE}]
_CASSETTE_WORDS = (
    *_KEYS,
    *(b"complete", b"cancelled", b"failure", b"read_timeout", b"crlf", b"200", b"0.3:4", b"|2+"),
    *(b"cassette: 2\n", b"cassette: 1.7\n", b"response:\n", b"request:\n", b"YQ==", b"=\n", b"<<"),
)
_STREAM_WORDS = (
    b"data: {}\n\n",
    b"data: [DONE]\n\n",
    b"\n\n",
    b"\r\r",
    b": c\n",
    b"event: error\n",
)
_PLAN_WORDS = (
    *(info.encode() for info in catalogue()),
    *(b"event: ", b"byte: ", b"when: ", b"time: ", b"times: ", b"p: ", b"match: ", b"rules:\n"),
    *(b"first", b"last", b"terminator", b"1..2", b"2..", b"0", b"-1", b"inf", b"nan", b"swarm(.5)"),
    *(
        b"@event=",
        b",inside=",
        b"utf8",
        b"distribution: lognormal",
        b"1s",
        b"10ms",
        b"expect=raises",
    ),
)


def _no_files() -> Iterator[bytes]:
    return iter(())


_DIALECTS = {
    "openai_chat": (openai_chat, "openai"),
    "openai_responses": (openai_responses, "responses"),
    "anthropic": (anthropic, "anthropic"),
    "cohere": (cohere, "cohere"),
    "gemini": (gemini, "gemini"),
}
_FRAMED = {"bedrock_converse": bedrock_converse, "bedrock_invoke": bedrock_invoke}
_LENGTHS = (b"\0\0\0\x10", b"\xff\xff\xff\xff")
_LINE_WORDS = (b"\n", b"\r\n", b"{}\n", b'{"error":"no"}\n', b"\xef\xbb\xbf", b"[DONE]\n")
TARGETS: dict[str, Target] = {
    "cassette": Target(_cassette, _CASSETTE_WORDS, _files, "cassettes", _with_header),
    "sse": Target(_sse, _STREAM_WORDS, _bodies(), "events"),
    "eventstream": Target(_events, _LENGTHS, _no_files, "messages", _with_checksums),
    "jsonarray": Target(_array, (b"[{", b"}]", b"},{"), _no_files, "arrays"),
    "ndjson": Target(_lines, _LINE_WORDS, _no_files, "lines"),
    **{
        name: Target(_dialect(dialect), _STREAM_WORDS, _bodies(prefix), name)
        for name, (dialect, prefix) in _DIALECTS.items()
    },
    "ollama": Target(_dialect(ollama), _LINE_WORDS, _bodies("ollama"), "ollama"),
    **{
        name: Target(_dialect(dialect), _LENGTHS, _bodies("bedrock"), name, _with_checksums)
        for name, dialect in _FRAMED.items()
    },
    "plan": Target(_plan, _PLAN_WORDS, _no_files, "plans"),
    "rule": Target(_rule, _PLAN_WORDS, _no_files, "rules"),
}
