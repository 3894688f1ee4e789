"""Examples as cassettes: a script, the bytes of a stream, or the chunks they came in.

What a cassette says is played as the example was; only the bytes by which a server brings
a failure about are not in it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from cassette_stream import (
    Cassette,
    Emit,
    Ending,
    Fail,
    FailureKind,
    Head,
    How,
    Interaction,
    Request,
    Response,
    Wait,
    __version__,
)
from pytest_cassette_stream.strategies.exchanges import BASES
from pytest_cassette_stream.strategies.scripts import Step
from pytest_cassette_stream.strategies.wires import content_type_of

__all__ = ("cassette_of",)

_DATE = datetime(2026, 1, 1, tzinfo=UTC)  # whoever runs it, and whenever: the same file


def cassette_of(value: object) -> Cassette:
    """The cassette that *value* is, or makes.

    Raises:
        TypeError: It is nothing that a cassette can be made of.
        ValueError: It is a script with a second head, or with bytes before the first.
    """
    if isinstance(value, Cassette):
        return value
    things = _timed(_steps(value))
    if sum(isinstance(thing, Head) for _, thing in things) > 1:
        raise ValueError("a script has one head, this one has another in the body")
    match things:
        case [(waited, Head() as head), *body]:
            told: dict[str, Any] = {"response": _response(waited, head, body)}
        case [(waited, Fail() as fail)]:
            told = {"failure": _ending(waited, fail)}
        case _:
            raise ValueError(f"a script begins with a head, or fails before it, not as in {value}")
    interaction = Interaction(recorded_at=_DATE, request=_request(value), **told)
    return Cassette(interactions=(interaction,), recorded_with=f"cassette-stream {__version__}")


def _request(value: object) -> Request:
    url = BASES.get(getattr(value, "dialect", ""), "http://localhost/")
    return Request(method="POST", url=url)


def _steps(value: object) -> list[Step]:
    body = getattr(value, "body", value)
    head = Head(200, (("content-type", content_type_of(getattr(value, "dialect", ""))),))
    if isinstance(body, bytes):
        return [head, Emit(body)]
    several: list[Any] = list(body) if isinstance(body, list | tuple) else []
    if several and all(isinstance(it, bytes) for it in several):
        return [head, *map(Emit, several)]
    if several and all(isinstance(it, Wait | Head | Emit | Fail) for it in several):
        return several
    raise TypeError(
        "a cassette is made of a Cassette, of steps, of bytes, of chunks of them, or of what "
        f"has them as its body, not of {value!r}"
    )


def _timed(steps: Iterable[Step]) -> list[tuple[float, Head | Emit | Fail]]:
    """What happens, with the seconds before it; behind a failure nothing does."""
    found: list[tuple[float, Head | Emit | Fail]] = []
    waited = 0.0
    for step in steps:
        if isinstance(step, Wait):
            waited += step.seconds
            if waited == math.inf:
                # As whoever listened would have recorded it.
                return [*found, (0.0, Fail(FailureKind.READ_TIMEOUT))]
            continue
        found.append((waited, step))
        waited = 0.0
        if isinstance(step, Fail):
            return found
    return [*found, (waited, Emit(b""))] if waited else found


def _response(waited: float, head: Head, body: list[tuple[float, Any]]) -> Response:
    *_, (after, last) = body or [(0.0, None)]
    ending = Ending(how=How.COMPLETE)
    if isinstance(last, Fail):
        ending = _ending(after, last)
        body = body[:-1]
    headers: dict[str, tuple[str, ...]] = {}
    for name, text in head.headers:
        headers[name] = (*headers.get(name, ()), text)
    return Response(
        status=head.status,
        http_version=head.http_version,
        reason=head.reason,
        headers=headers,
        head_after_us=_microseconds(waited),
        body=b"".join(step.data for _, step in body),
        sizes=array("q", [len(step.data) for _, step in body]),
        gaps_us=array("q", [_microseconds(gap) for gap, _ in body]),
        ending=ending,
    )


def _ending(waited: float, fail: Fail) -> Ending:
    after_us = _microseconds(waited)
    if fail.kind is FailureKind.RECORDING_ENDED:
        return Ending(how=How.CLOSED_BY_CALLER, after_us=after_us)
    return Ending(how=How.FAILURE, after_us=after_us, failure=fail.kind, message=fail.detail)


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
