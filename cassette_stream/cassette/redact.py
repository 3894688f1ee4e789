"""Secrets out, placeholders in, before anything is compared or written.

By place: headers, query parameters, URL users, JSON and form fields whose names say that
they hold secrets. By value: what has the shape of a secret, what the user adds, and what
stood at such a place, wherever it turns up again. A request is redacted the same whatever
answers it, so that a live one can be held against recorded ones. No response body changes
its length, so frames, offsets and events stay true.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from cassette_stream.cassette.checksums import with_checksums
from cassette_stream.cassette.model import Ending, Headers, Interaction, Request, Response
from cassette_stream.cassette.places import Places
from cassette_stream.cassette.secrets import (
    PLACEHOLDER,
    SECRET_FIELDS,
    SECRET_HEADERS,
    SECRET_QUERY,
    Finding,
    is_placeholder,
    placeholder,
    scan,
)

__all__ = ("Redacted", "Redaction", "Redactor", "Replacement")

_ECHO = 16
"""How long what stood at a secret place must be to be searched for elsewhere.

A shorter one may be a word.
"""

_STREAMS = ("event-stream", "eventstream", "ndjson", "jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A secret of this *kind* stood at this *place*; the *placeholder* stands there instead."""

    kind: str
    place: str
    placeholder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """An interaction without its secrets, and what was replaced, in the order of the text."""

    interaction: Interaction
    replaced: tuple[Replacement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    place: str
    raw: bytes
    findings: Iterable[Finding]
    keeps_length: bool = False


class Redactor:
    """Replaces secrets by placeholders, numbered by first appearance in an interaction.

    Args:
        extra: More secrets: texts, which are found as they are, JSON-escaped and
            percent-encoded, and regular expressions (of ASCII) for bytes.
        headers: Names of headers whose values are secrets.
        query: Names of query parameters whose values are.
        fields: Names of JSON and form fields whose texts are.

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
    ) -> None:
        self._places = Places(headers=headers, query=query, fields=fields)
        self._texts: dict[bytes, bytes] = {}
        self._patterns: list[re.Pattern[bytes]] = []
        for each in extra:
            if isinstance(each, re.Pattern):
                self._patterns.append(_of_bytes(each))
            else:
                self._texts |= _forms(each)

    def request(self, request: Request) -> Request:
        """The *request* as it is compared, and as `interaction` leaves it."""
        return self._request(request, _Job(self._texts, self._patterns))

    def interaction(self, interaction: Interaction) -> Interaction:
        """The *interaction* as it is written; the same object if it holds no secret."""
        return self.redacted(interaction).interaction

    def redacted(self, interaction: Interaction) -> Redacted:
        """The *interaction* as it is written, with a report of what was replaced."""
        job = _Job(self._texts, self._patterns)
        request = self._request(interaction.request, job)
        response, failure = interaction.response, interaction.failure
        if response is not None:
            response = self._response(response, job)
        if failure is not None:
            (message,) = job.clean([self._message(failure)])
            failure = replace(failure, message=_str(message))
        if job.replaced:
            interaction = replace(interaction, request=request, response=response, failure=failure)
        return Redacted(interaction=interaction, replaced=tuple(job.replaced))

    def scan(self, text: bytes) -> Iterator[Finding]:
        """What in the *text* still looks like a secret: a last look before it is written."""
        return iter(_Job(self._texts, self._patterns).findings(text))

    def begin(self) -> Redaction:
        """An interaction that is redacted while it goes on."""
        return Redaction(self, self._places, _Job(self._texts, self._patterns))

    def _request(self, request: Request, job: _Job) -> Request:
        url = _bytes(request.url)
        texts = job.clean(
            [
                _Text(place="request url", raw=url, findings=self._places.url(url)),
                *self._headers("request", request.headers),
                _Text(
                    place="request body",
                    raw=request.body,
                    findings=self._places.body(request.body, _content_type(request.headers)),
                ),
            ]
        )
        return replace(
            request,
            url=_str(next(texts)),
            headers=_with_values(request.headers, texts),
            body=next(texts),
        )

    def _response(self, response: Response, job: _Job) -> Response:
        content_type = _content_type(response.headers)
        is_stream = any(name in content_type for name in _STREAMS)
        texts = job.clean(
            [
                _Text(place="response reason", raw=_bytes(response.reason or ""), findings=()),
                *self._headers("response", response.headers),
                _Text(
                    place="response body",
                    raw=response.body,
                    findings=() if is_stream else self._places.body(response.body, content_type),
                    keeps_length=True,
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

    def _headers(self, of: str, headers: Headers) -> Iterator[_Text]:
        for name, values in headers.items():
            for value in values:
                raw = _bytes(value)
                findings = self._places.header(name, raw)
                yield _Text(place=f"{of} header {name}", raw=raw, findings=findings)

    def _message(self, ending: Ending) -> _Text:
        raw = _bytes(ending.message)
        return _Text(place="failure message", raw=raw, findings=self._places.url(raw))


class Redaction:
    """Takes the secrets out of an interaction part by part, as the parts come.

    It knows of a secret what the parts so far told; but for that, what it gives is what
    `Redactor.interaction` makes of the whole.
    """

    def __init__(self, redactor: Redactor, places: Places, job: _Job) -> None:
        self._redactor = redactor
        self._places = places
        self._job = job

    @property
    def texts(self) -> Collection[bytes]:
        """What is searched for as it is: what the user added, and what stood at a secret place."""
        return {*self._job.extra, *self._job.echoes}

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

    def begun(self, text: bytes) -> int:
        """Where a field begins that may be secret, and that *text* breaks off in; else its end."""
        return self._places.begun(text)

    def body(self, part: bytes, content_type: str) -> bytes:
        """A *part* of the body of a response, which keeps its length."""
        is_stream = any(name in content_type for name in _STREAMS)
        findings = () if is_stream else self._places.body(part, content_type)
        text = _Text(place="response body", raw=part, findings=findings, keeps_length=True)
        (part,) = self._job.clean([text])
        return part


@dataclass(slots=True)
class _Job:
    """What is known while one interaction is redacted."""

    extra: dict[bytes, bytes]
    patterns: list[re.Pattern[bytes]]
    echoes: set[bytes] = field(default_factory=set)
    numbers: dict[bytes, int] = field(default_factory=dict)
    used: int = 0
    replaced: list[Replacement] = field(default_factory=list)

    def clean(self, texts: Iterable[_Text]) -> Iterator[bytes]:
        """The *texts* without secrets, also without those that stand by name in another."""
        named = [(text, list(text.findings)) for text in texts]
        for text, findings in named:
            if b"REDACTED-" in text.raw:
                self.used = max([self.used, *_numbers(text.raw)])
            secrets = {text.raw[each.start : each.end] for each in findings}
            self.echoes |= {each for each in secrets if len(each) >= _ECHO}
        self.echoes = {each for each in self.echoes if not is_placeholder(each)}
        return iter([self._clean(text, findings) for text, findings in named])

    def findings(self, raw: bytes) -> list[Finding]:
        """The secrets in *raw* that need no place."""
        found = list(scan(raw))
        for text in (*self.extra, *self.echoes):
            found += _occurrences(text, raw)
        for pattern in self.patterns:
            found += [
                Finding(*match.span(), "extra") for match in pattern.finditer(raw) if match[0]
            ]
        return _disjoint(found, raw)

    def _clean(self, text: _Text, findings: list[Finding]) -> bytes:
        found = _disjoint([*findings, *self.findings(text.raw)], text.raw)
        if not found:
            return text.raw
        out: list[bytes] = []
        done = 0
        for start, end, kind in found:
            secret = text.raw[start:end]
            number = self._number(secret)
            stands_in = placeholder(number, secret if text.keeps_length else None)
            out += text.raw[done:start], stands_in
            done = end
            self.replaced.append(
                Replacement(kind=kind, place=text.place, placeholder=stands_in.decode())
            )
        return b"".join([*out, text.raw[done:]])

    def _number(self, secret: bytes) -> int:
        secret = self.extra.get(secret, secret)
        if secret not in self.numbers:
            self.used += 1
            self.numbers[secret] = self.used
        return self.numbers[secret]


def _disjoint(findings: Sequence[Finding], raw: bytes) -> list[Finding]:
    """The *findings* in order, those that overlap as one, and no placeholders."""
    if not findings:
        return []
    kept = [match.span() for match in PLACEHOLDER.finditer(raw)] if b"REDACTED-" in raw else []
    found: list[Finding] = []
    for each in sorted(findings, key=lambda finding: (finding.start, -finding.end)):
        if found and each.start < found[-1].end:
            found[-1] = found[-1]._replace(end=max(each.end, found[-1].end))
        elif not is_placeholder(raw[each.start : each.end]) and not any(
            start <= each.start and each.end <= end for start, end in kept
        ):
            found.append(each)
    return found


def _numbers(raw: bytes) -> Iterator[int]:
    for match in re.finditer(rb"REDACTED-([1-9][0-9]{0,8})", raw):
        yield int(match[1])


def _occurrences(secret: bytes, raw: bytes) -> Iterator[Finding]:
    start = raw.find(secret)
    while start >= 0:
        yield Finding(start, start + len(secret), "known secret")
        start = raw.find(secret, start + len(secret))


def _forms(text: str) -> dict[bytes, bytes]:
    """How the *text* may be written, each form with the text that it stands for."""
    if not isinstance(text, str):
        raise TypeError(f"extra takes texts and regular expressions, not {text!r}")
    if not text:
        raise ValueError("an extra secret is empty: is an environment variable not set?")
    forms = (
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        quote(text, safe="", errors="surrogatepass"),
    )
    return {_bytes(form): _bytes(text) for form in forms}


def _of_bytes(pattern: re.Pattern[str]) -> re.Pattern[bytes]:
    if not pattern.pattern.isascii():
        raise ValueError(f"an extra regular expression is applied to bytes: {pattern.pattern!r}")
    compiled = re.compile(pattern.pattern.encode(), pattern.flags & ~re.UNICODE)
    if compiled.search(b""):
        raise ValueError(f"an extra regular expression matches the empty text: {pattern.pattern!r}")
    return compiled


def _content_type(headers: Headers) -> str:
    return next(iter(headers.get("content-type", ())), "").lower()


def _with_values(headers: Headers, texts: Iterator[bytes]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(_str(next(texts)) for _ in values) for name, values in headers.items()}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _str(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
