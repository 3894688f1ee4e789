"""Faults that answer with a status of error, in the words of whoever sends it.

The provider's own errors are told in the dialect of the recording; a gateway's are the
page that it shows to people.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.head.found import (
    HTML,
    JSON,
    Fields,
    answer,
    before_head,
    seen_ahead,
    spoken,
)
from cassette_stream.faults.head.pages import BAD_GATEWAY, BLOCKED, TIMED_OUT
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter
from cassette_stream.faults.seen import Seen
from cassette_stream.script import Head, Script

__all__ = ("STATUSES", "Page", "RateLimit", "Refusal", "error_body")

_MESSAGES = {
    401: "Incorrect API key provided.",
    408: "The request was not complete in time.",
    429: "Rate limit reached for requests.",
    500: "The server had an error while processing your request.",
    503: "The service is unavailable, try again later.",
    529: "Overloaded",
}
_NAMES: dict[Dialect, Fields] = {
    "openai_chat": (("x-request-id", "req_fault"),),
    "openai_responses": (("x-request-id", "req_fault"),),
    "anthropic": (("request-id", "req_fault"),),
    "cohere": (("x-debug-trace-id", "req_fault"),),
}
_OF_AWS: Fields = (("x-amzn-requestid", "req_fault"),)
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)  # for a recording without a date


def error_body(seen: Seen | None, status: int) -> bytes:
    """The body of an error with this *status*, as whoever sent the event *seen* writes it."""
    message = _MESSAGES[status]
    if seen is None:
        return json.dumps({"error": {"code": status, "message": message}}).encode()
    body: bytes = spoken(seen).encode_error_body(status, message)
    return body


def _refused(script: Script, head: Head, status: int, fields: Fields = ()) -> Script:
    seen = seen_ahead(script)
    body = error_body(seen, status)
    if seen is not None and seen.framing == "aws":
        named = _OF_AWS
    else:
        named = () if seen is None or seen.dialect is None else _NAMES.get(seen.dialect, ())
    return answer(head, status, body, content_type=JSON, fields=(*fields, *named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The provider answers with *status*, and says why."""

    status: int

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            yield from _refused(script, head, self.status)


_FORMS = ("seconds", "http-date", "ms", "absent", "inf")
_RETRY_AFTER = Parameter(
    name="retry_after",
    default="1",
    description="For how many seconds the provider asks to be left alone: a number, or inf.",
)
_FORM = Parameter(
    name="form",
    default="seconds",
    choices=_FORMS,
    description="How it says so; a date counts from that of the response.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """The provider answers with 429, and asks to be left alone for *retry_after* seconds.

    *form* says how: ``retry-after`` in ``seconds``, as an ``http-date`` or as ``inf``;
    ``retry-after-ms``; or not at all.
    """

    retry_after: str = "1"
    form: str = "seconds"

    def __post_init__(self) -> None:
        _FORM.read(self.form)
        seconds = self._seconds()
        if not seconds >= 0:
            raise PlanError(
                f"retry_after is {self.retry_after!r}; it can be a number from 0, or inf"
            )
        if self.form == "http-date" and seconds > timedelta(days=365_000).total_seconds():
            raise PlanError(f"retry_after is {self.retry_after!r}; no date is so far away")

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            yield from _refused(script, head, 429, self._fields(head))

    def _seconds(self) -> float:
        try:
            return float(self.retry_after)
        except ValueError:
            return math.nan

    def _fields(self, head: Head) -> Fields:
        match self.form:
            case "seconds":
                return (("retry-after", self.retry_after),)
            case "inf":
                return (("retry-after", "inf"),)
            case "ms":
                return (("retry-after-ms", f"{self._seconds() * 1000:.15g}"),)
            case "http-date":
                date = _date_of(head)
                until = date + timedelta(seconds=self._seconds())
                return (
                    ("date", format_datetime(date, usegmt=True)),
                    ("retry-after", format_datetime(until, usegmt=True)),
                )
        return ()


def _date_of(head: Head) -> datetime:
    try:
        return parsedate_to_datetime(dict(head.headers).get("date", "")).astimezone(UTC)
    except ValueError:
        return _LONG_AGO


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Somebody between answers with *status* and a page, or with nothing if *body* is empty."""

    status: int
    body: bytes
    server: str

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            yield from answer(
                head,
                self.status,
                self.body,
                content_type=HTML if self.body else None,
                fields=(("server", self.server),),
            )


def _refusal(status: int, name: str, reference: str, *, common: bool = False) -> FaultInfo:
    return FaultInfo(
        id=f"head.{status}",
        name=name,
        expect="raises",
        transport=f"nothing: the status is {status}",
        description=f"The provider answers with {status}, and says why in its own words.",
        reference=reference,
        make=partial(Refusal, status=status),
        common=common,
        kind="exchange",
    )


def _page(name: str, page: Page, title: str, reference: str, *, common: bool = False) -> FaultInfo:
    shown = "a page for people" if page.body else "an empty body"
    return FaultInfo(
        id=f"head.{name}",
        name=title,
        expect="raises",
        transport=f"nothing: the status is {page.status}",
        description=f"A gateway answers with {page.status} and {shown}.",
        reference=reference,
        make=partial(Page, status=page.status, body=page.body, server=page.server),
        common=common,
        kind="exchange",
    )


STATUSES = (
    _refusal(401, "wrong key", "measured"),
    _page(
        "403_html",
        Page(status=403, body=BLOCKED, server="cloudflare"),
        "blocked by a firewall",
        "measured",
    ),
    _refusal(408, "Request Timeout", "measured"),
    FaultInfo(
        id="head.429",
        name="rate limited",
        expect="raises",
        transport="nothing: the status is 429",
        description="The provider answers with 429, and says when to try again.",
        reference="vercel/ai#5018",
        make=RateLimit,
        parameters=(_RETRY_AFTER, _FORM),
        common=True,
        kind="exchange",
    ),
    _refusal(500, "server error", "kharvd/gpt-cli#71", common=True),
    _refusal(503, "unavailable", "BerriAI/litellm#6957", common=True),
    _refusal(529, "overloaded", "CommandCodeAI/command-code#785", common=True),
    _page(
        "502_html",
        Page(status=502, body=BAD_GATEWAY, server="nginx"),
        "Bad Gateway",
        "pratikbaid3/flutter_client_sse#38",
        common=True,
    ),
    _page(
        "504_empty",
        Page(status=504, body=b"", server="awselb/2.0"),
        "Gateway Timeout",
        "VectifyAI/OpenKB#212",
        common=True,
    ),
    _page(
        "524_html",
        Page(status=524, body=TIMED_OUT, server="cloudflare"),
        "a timeout occurred",
        "misospace/pr-reviewer-action#24",
        common=True,
    ),
)
