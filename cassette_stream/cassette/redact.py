"""Secrets out, placeholders in, before anything is compared or written.

By place: headers, query parameters, URL users, JSON and form fields whose names say that
they hold secrets. By value: what has the shape of a secret, what the user adds, what the
environment holds, and what stood at such a place, wherever it turns up again. A request is
redacted the same whatever answers it, so that a live one can be held against recorded ones.
No response body changes its length, so frames, offsets and events stay true.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias, assert_never

from cassette_stream.cassette.checksums import with_checksums
from cassette_stream.cassette.known import forms
from cassette_stream.cassette.layers import GZIP, inflated
from cassette_stream.cassette.model import Ending, Headers, Interaction, Request, Response
from cassette_stream.cassette.places import Places
from cassette_stream.cassette.replacing import Known, Replacement, Replacing, Text
from cassette_stream.cassette.secrets import (
    SECRET_FIELDS,
    SECRET_HEADERS,
    SECRET_QUERY,
    Finding,
)

__all__ = ("Redacted", "Redaction", "Redactor", "Replacement", "content_type_of", "shown")

_STREAMS = ("event-stream", "eventstream", "ndjson", "jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """An interaction without its secrets, and what was replaced, in the order of the text."""

    interaction: Interaction
    replaced: tuple[Replacement, ...]


class Redactor:
    """Replaces secrets by placeholders, numbered by first appearance in an interaction.

    Args:
        extra: More secrets: texts, which are found as they are, JSON-escaped,
            percent-encoded and in base64, and regular expressions (of ASCII) for bytes.
        headers: Names of headers whose values are secrets.
        query: Names of query parameters whose values are.
        fields: Names of JSON and form fields whose texts are.
        environment: Whether a session adds the values of the variables whose names say
            that they are secrets, such as ``OPENAI_API_KEY``.

    Raises:
        ValueError: One of *extra* is empty or matches the empty text, or is a regular
            expression beyond ASCII.
    """

    def __init__(
        self,
        *,
        extra: Sequence[str | re.Pattern[str]] = (),
        headers: Collection[str] = SECRET_HEADERS,
        query: Collection[str] = SECRET_QUERY,
        fields: Collection[str] = SECRET_FIELDS,
        environment: bool = True,
    ) -> None:
        self.environment = environment
        self._places = Places(headers=headers, query=query, fields=fields)
        self._known: Mapping[bytes, Known] = {}
        self._patterns: list[re.Pattern[bytes]] = []
        for each in extra:
            if isinstance(each, re.Pattern):
                self._patterns.append(_of_bytes(each))
            else:
                self._known = {**self._known, **_spellings(each, "extra")}

    def knowing(self, variables: Mapping[str, str]) -> Redactor:
        """One that finds the values of *variables* as well; reports name the variable."""
        if not variables:
            return self
        other = copy.copy(self)
        known: dict[bytes, Known] = {}
        for name, value in variables.items():
            known |= _spellings(value, f"value of {name}")
        other._known = {**known, **self._known}  # noqa: SLF001 - it is one of ours
        return other

    def request(self, request: Request) -> Request:
        """The *request* as it is compared, and as `interaction` leaves it."""
        return self._request(request, self._job())

    def interaction(self, interaction: Interaction) -> Interaction:
        """The *interaction* as it is written; the same object if it holds no secret."""
        return self.redacted(interaction).interaction

    def redacted(self, interaction: Interaction) -> Redacted:
        """The *interaction* as it is written, with a report of what was replaced."""
        job = self._job()
        interaction = self._interaction(interaction, job)
        return Redacted(
            interaction=interaction, replaced=tuple(each.replacement for each in job.replaced)
        )

    def locate(
        self, interaction: Interaction, document: bytes
    ) -> list[tuple[tuple[int, int] | None, Replacement]]:
        """What would be replaced in the *interaction*, and from where to where in its *document*.

        Where it does not stand there as it is, as in base64, the place is None; of what is
        split it is that of the first piece.
        """
        job = self._job()
        self._interaction(interaction, job)
        found = []
        done = 0
        for replacement, before, secret in job.replaced:
            span = _whereabouts(document, before, secret, done)
            done = max(done, span[0]) if span else done
            found.append((span, replacement))
        return found

    def scan(self, text: bytes) -> Iterator[Finding]:
        """What in the *text* still looks like a secret: a last look before it is written."""
        return iter(self._job().findings(text))

    def begin(self) -> Redaction:
        """An interaction that is redacted while it goes on."""
        return Redaction(self, self._places, self._job())

    def _job(self) -> Replacing:
        return Replacing(self._known, self._patterns)

    def _interaction(self, interaction: Interaction, job: Replacing) -> Interaction:
        request = self._request(interaction.request, job)
        response, failure = interaction.response, interaction.failure
        if response is not None:
            response = self._response(response, job)
        if failure is not None:
            (message,) = job.clean([self._message(failure)])
            failure = replace(failure, message=_str(message))
        if not job.replaced:
            return interaction
        return replace(interaction, request=request, response=response, failure=failure)

    def _request(self, request: Request, job: Replacing) -> Request:
        head = list(self._request_head(request))
        if _is_coded(request.body, request.headers):
            job.learn(head)
            request = self._uncompressed(request, job)
            head = list(self._request_head(request))
        by_name = self._places.body(request.body, content_type_of(request.headers))
        body = Text(place="request body", raw=request.body, by_name=tuple(by_name))
        texts = job.clean([*head, body])
        return replace(
            request,
            url=_str(next(texts)),
            headers=_with_values(request.headers, texts),
            body=next(texts),
        )

    def _request_head(self, request: Request) -> Iterator[Text]:
        url = _bytes(request.url)
        yield Text(place="request url", raw=url, by_name=tuple(self._places.url(url)))
        yield from self._headers("request", request.headers)

    def _response(self, response: Response, job: Replacing) -> Response:
        content_type = content_type_of(response.headers)
        is_stream = any(name in content_type for name in _STREAMS)
        head = list(self._headers("response", response.headers))
        by_name: tuple[Finding, ...] = ()
        if _is_coded(response.body, response.headers):
            job.learn(head)
        if self._hides(response.body, response.headers, job):
            # A coding that could not be undone cannot be mended either.
            by_name = (Finding(0, len(response.body), "compressed body"),)
        elif not is_stream:
            by_name = tuple(self._places.body(response.body, content_type))
        texts = job.clean(
            [
                Text(place="response reason", raw=_bytes(response.reason or "")),
                *head,
                Text(
                    place="response body",
                    raw=response.body,
                    by_name=by_name,
                    keeps_length=True,
                    events=content_type,
                ),
                self._message(response.ending),
            ]
        )
        reason = _str(next(texts))
        headers = _with_values(response.headers, texts)
        body = next(texts)
        if "eventstream" in content_type and body != response.body:
            body = with_checksums(body, before=response.body)
        return replace(
            response,
            reason=None if response.reason is None else reason,
            headers=headers,
            body=body,
            ending=replace(response.ending, message=_str(next(texts))),
        )

    def _uncompressed(self, request: Request, job: Replacing) -> Request:
        """The *request* with the body that its coding hides, where that holds a secret."""
        if not self._hides(request.body, request.headers, job):
            return request
        headers = {
            name: values
            for name, values in request.headers.items()
            if name not in {"content-encoding", "content-length"}
        }
        body = inflated(request.body, _coding(request.headers)) or b""
        return replace(request, headers=headers, body=body)

    def _hides(self, body: bytes, headers: Headers, job: Replacing) -> bool:
        """Whether a coding of the *body* hides a secret."""
        inner = inflated(body, _coding(headers))
        if inner is None:
            return False
        by_name = tuple(self._places.body(inner, content_type_of(headers)))
        text = Text(place="", raw=inner, by_name=by_name, keeps_length=True, events="")
        (clean,) = Replacing(job.known, self._patterns).clean([text])
        return clean != inner

    def _headers(self, of: str, headers: Headers) -> Iterator[Text]:
        for name, values in headers.items():
            for value in values:
                raw = _bytes(value)
                by_name = tuple(self._places.header(name, raw))
                yield Text(place=f"{of} header {name}", raw=raw, by_name=by_name)

    def _message(self, ending: Ending) -> Text:
        raw = _bytes(ending.message)
        return Text(place="failure message", raw=raw, by_name=tuple(self._places.url(raw)))


class Redaction:
    """Takes the secrets out of an interaction part by part, as the parts come.

    It knows of a secret what the parts so far told; but for that, what it gives is what
    `Redactor.interaction` makes of the whole.
    """

    def __init__(self, redactor: Redactor, places: Places, job: Replacing) -> None:
        self._redactor = redactor
        self._places = places
        self._job = job

    @property
    def texts(self) -> Collection[bytes]:
        """What is searched for as it is: what the user added, and what stood at a secret place."""
        return self._job.known.keys()

    @property
    def patterns(self) -> Sequence[re.Pattern[bytes]]:
        """What the user added as regular expressions."""
        return self._job.patterns

    def request(self, request: Request) -> Request:
        return self._redactor._request(request, self._job)  # noqa: SLF001 - they are one

    def response(self, response: Response) -> Response:
        return self._redactor._response(response, self._job)  # noqa: SLF001

    def ending(self, ending: Ending) -> Ending:
        (message,) = self._job.clean([self._redactor._message(ending)])  # noqa: SLF001
        return replace(ending, message=_str(message))

    def is_clean(self, text: bytes) -> bool:
        """Whether no secret is in *text*, wherever it stands."""
        return not self._job.findings(text)

    def body(self, part: bytes, content_type: str) -> bytes:
        """A *part* of the body of a response, of whole events, which keeps its length."""
        is_stream = any(name in content_type for name in _STREAMS)
        text = Text(
            place="response body",
            raw=part,
            by_name=() if is_stream else tuple(self._places.body(part, content_type)),
            keeps_length=True,
            events=content_type,
        )
        (part,) = self._job.clean([text])
        return part


Part: TypeAlias = Request | Response | Interaction | Ending


def shown(part: Part) -> Part:
    """The *part* as it may be shown, without what looks like a secret or stands where one does."""
    redactor = _shown_redactor()
    match part:
        case Interaction():
            return redactor.interaction(part)
        case Request():
            return redactor.request(part)
        case Response():
            return redactor.begin().response(part)
        case Ending():
            return redactor.begin().ending(part)
        case _:
            assert_never(part)


_shown_redactor = cache(Redactor)


def _whereabouts(
    document: bytes, before: bytes, secret: bytes, after: int
) -> tuple[int, int] | None:
    """Where the *secret* stands that comes *before* in its line, if it can be behind *after*."""
    # What comes before it may be written in another way in the document, or be cut.
    for size in (len(before), 32, 8, 0):
        needle = before[len(before) - min(size, len(before)) :] + secret
        for start in (after, 0):
            if (at := document.find(needle, start)) >= 0:
                return at + len(needle) - len(secret), at + len(needle)
    return None


def _spellings(text: str, kind: str) -> dict[bytes, Known]:
    if not isinstance(text, str):
        raise TypeError(f"extra takes texts and regular expressions, not {text!r}")
    if not text:
        raise ValueError("an extra secret is empty: is an environment variable not set?")
    return dict.fromkeys(forms(_bytes(text)), Known(_bytes(text), kind))


def _of_bytes(pattern: re.Pattern[str]) -> re.Pattern[bytes]:
    if not pattern.pattern.isascii():
        raise ValueError(f"an extra regular expression is applied to bytes: {pattern.pattern!r}")
    compiled = re.compile(pattern.pattern.encode(), pattern.flags & ~re.UNICODE)
    if compiled.search(b""):
        raise ValueError(f"an extra regular expression matches the empty text: {pattern.pattern!r}")
    return compiled


def content_type_of(headers: Headers) -> str:
    """The content type that *headers* tell, in lower case; none is the empty text."""
    return next(iter(headers.get("content-type", ())), "").lower()


def _is_coded(body: bytes, headers: Headers) -> bool:
    return "content-encoding" in headers or body.startswith(GZIP)


def _coding(headers: Headers) -> str:
    return ", ".join(headers.get("content-encoding", ())).strip().lower()


def _with_values(headers: Headers, texts: Iterator[bytes]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(_str(next(texts)) for _ in values) for name, values in headers.items()}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _str(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
