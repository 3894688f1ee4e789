"""What a sweep finds, as values that go through JSON, from worker to report and back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cassette_stream.chaos.verdict import Flag, Verdict
from cassette_stream.faults import Expect

__all__ = ("Delivery", "Result", "Swept", "read_results")


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reply as the code under test saw it.

    Attributes:
        request: Method and URL.
        bytes: Bytes of the body.
        events: Events that they hold.
        frames: Milliseconds since the request, and bytes, of each chunk; neighbours are
            joined where there are many.
        ending: How the body ended: ``complete``, the kind of failure, ``endless``, or
            nothing where its reader went first.
        struck_bytes: The bytes that came before the fault showed.
        struck_ms: And the moment.
        is_closed: Its reader came to its end, or closed it.
    """

    request: str
    bytes: int
    events: int
    frames: tuple[tuple[float, int], ...] = ()
    ending: str | None = None
    struck_bytes: int | None = None
    struck_ms: float | None = None
    is_closed: bool = True


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one trial.

    Attributes:
        number: The trial's, counted from 1.
        fault: The id of the fault.
        rule: The whole rule as text, which `cassette_stream.faults.parse_rule` and the
            command line take; the plan in YAML where one line cannot say it.
        expect: What a correct client does.
        verdict: What this one did; None where the fault never struck, and *why* says why.
        flags: What else is bad about it.
        good: Whether a correct client may do that.
        recovered: Whether the next run, without fault, was as the clean one; None: not tried.
        error: What was raised, with its class.
        answer: What was returned, in short.
        left_open: What was left behind.
        seconds: The virtual time that it took.
        deliveries: The replies, in order.
        real_time: Why it waited in real time, and how often.
        missed: What the subject asked for that is not recorded.
        why: Why the fault never struck.
    """

    number: int
    fault: str
    rule: str
    expect: Expect
    verdict: Verdict | None = None
    flags: tuple[Flag, ...] = ()
    good: bool = True
    recovered: bool | None = None
    error: str | None = None
    answer: str | None = None
    left_open: tuple[str, ...] = ()
    seconds: float = 0.0
    deliveries: tuple[Delivery, ...] = ()
    real_time: dict[str, int] = msgspec.field(default_factory=dict)
    missed: tuple[str, ...] = ()
    why: str | None = None


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What results are the results of: the first line of a file of them.

    Attributes:
        subject: ``module:function``.
        of: A hash of all that a result depends on: recording, trials, what is expected.
    """

    subject: str
    of: str


def read_results(lines: Sequence[bytes]) -> tuple[Swept | None, list[Result]]:
    """What *lines* of JSON hold; nothing where there are none.

    Raises:
        ValueError: One is none; the message has its number.
    """
    if not lines:
        return None, []
    try:
        swept = msgspec.json.decode(lines[0], type=Swept)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"line 1 does not tell of a sweep: {error}") from None
    found: list[Result] = []
    for number, line in enumerate(lines[1:], 2):
        try:
            found.append(msgspec.json.decode(line, type=Result))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"line {number} holds no result of a sweep: {error}") from None
    return swept, found
