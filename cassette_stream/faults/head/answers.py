"""Faults that answer with 200, and with something that is no stream of events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cassette_stream.exceptions import APIError
from cassette_stream.faults.head.found import (
    HTML,
    JSON,
    answer,
    before_head,
    seen_ahead,
    spoken,
)
from cassette_stream.faults.head.pages import APP
from cassette_stream.faults.head.statuses import error_body
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.reframe import without
from cassette_stream.faults.seen import Seen
from cassette_stream.script import Emit, Script, Step

__all__ = ("ANSWERS", "Empty", "Html", "JsonCompletion", "JsonError")

_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Html:
    """A web page comes instead of the stream."""

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            yield from answer(head, 200, APP, content_type=HTML)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonError:
    """The body of an error comes instead of the stream, with a status that says success."""

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            body = error_body(seen_ahead(script), 500)
            yield from answer(head, 200, body, content_type=JSON)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonCompletion:
    """The answer that is streamed comes whole, as to a request without ``stream``.

    A stream that holds no whole answer, or more than 16 MiB, is left whole.
    """

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is None:
            return
        held, size = [], 0
        for step in script:
            held.append(step)
            size += len(step.data) if isinstance(step, Emit) else 0
            if size > _MOST_BYTES:
                break
        else:
            if (body := _whole_answer(held)) is not None:
                yield from answer(head, 200, body, content_type=JSON)
                return
        yield head
        yield from held
        yield from script


def _whole_answer(steps: Iterable[Step]) -> bytes | None:
    """The answer that *steps* stream, as its provider sends it at once; None if it is not whole."""
    from cassette_stream.chunks import ResponseAccumulator  # noqa: PLC0415 - as in `spoken`

    seen = seen_ahead(iter(steps))
    if seen is None:
        return None
    module, answered = spoken(seen), ResponseAccumulator()
    decoder = module.Decoder()
    try:
        for step in steps:
            for chunk in decoder.feed(step.data) if isinstance(step, Emit) else ():
                answered.add(chunk)
        for chunk in decoder.finish():
            answered.add(chunk)
        body: bytes = module.encode_body(answered.response())
    except (APIError, ValueError):  # broken already, or more than the format can say
        return None
    return body


_STOP = b'{"type":"message_stop"}'
_DONE = b"data: [DONE]\n\n"
_KIND = Parameter(
    name="kind",
    default="empty",
    choices=("empty", "comments", "terminator"),
    description="What the body is: no byte, comments alone, or the event that ends a stream.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """The head comes, and a body without an event that says anything.

    *kind* is ``empty``, ``comments``, which are blank lines in NDJSON, or ``terminator``:
    ``message_stop`` of Anthropic's, else ``[DONE]``. A stream that has no such thing is left
    whole.
    """

    kind: str = "empty"

    def __post_init__(self) -> None:
        _KIND.read(self.kind)

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is None:
            return
        held: list[Step] = []
        body = b"" if self.kind == "empty" else self._body(seen_ahead(_noted(script, held)))
        if body is None:
            yield head
            yield from held
            yield from script
            return
        yield without(head, "content-length")
        if body:
            yield Emit(body)

    def _body(self, seen: Seen | None) -> bytes | None:
        """What says nothing in a stream with the event *seen*; None if there is no such thing."""
        framing = "sse" if seen is None else seen.framing
        if self.kind == "comments":
            return {"sse": b": keep-alive\n\n" * 3, "ndjson": b"\n" * 3}.get(framing)
        if seen is None or framing == "sse":
            is_named = seen is not None and seen.dialect == "anthropic"
            return b"event: message_stop\ndata: %b\n\n" % _STOP if is_named else _DONE
        return seen.event(_STOP) if seen.dialect == "anthropic" else None


def _noted(script: Script, held: list[Step]) -> Script:
    """The *script*; each of its steps is added to *held*."""
    for step in script:
        held.append(step)
        yield step


_NOTHING = "nothing: the response is whole, and its status 200"

ANSWERS = (
    FaultInfo(
        id="head.200_html",
        name="HTML instead of a stream",
        expect="raises",
        transport=_NOTHING,
        description="A web page comes, with the status 200.",
        reference="shuv1337/oc-web#143",
        make=Html,
        common=True,
        kind="exchange",
    ),
    FaultInfo(
        id="head.200_json_error",
        name="an error with the status 200",
        expect="raises",
        transport=_NOTHING,
        description="The body of an error comes, with the status 200.",
        reference="apache/rocketmq-dashboard#2178",
        make=JsonError,
        common=True,
        kind="exchange",
    ),
    FaultInfo(
        id="head.200_json_completion",
        name="stream=true ignored",
        expect="either",
        transport=_NOTHING,
        description="The whole answer comes as one JSON object.",
        reference="decolua/9router#3492",
        make=JsonCompletion,
        kind="exchange",
    ),
    FaultInfo(
        id="head.200_empty",
        name="empty stream",
        expect="raises",
        transport=_NOTHING,
        description="The head comes, and no event that says anything.",
        reference="langchain-ai/deepagents#2905",
        make=Empty,
        parameters=(_KIND,),
        common=True,
        kind="exchange",
    ),
)
