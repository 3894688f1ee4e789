"""Where secrets stand by name: headers, query parameters, URL users, fields of bodies.

Bodies are searched as bytes and never parsed: what is found is where it stands, however
the rest is written, also in JSON that was cut off, and in the JSON text inside a JSON
string that the arguments of tool calls are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from cassette_stream.cassette.secrets import Finding

__all__ = ("Places",)

_AFTER_SCHEME = re.compile(
    rb"(?s)\A(?i:(?:Bearer|Basic|Token|Digest|Negotiate|Api-?Key|Key|SharedKey|AWS4-HMAC-SHA256)"
    rb" +)?+(\S.*)"
)
_IN_HEADER = {
    "cookie": re.compile(rb"(?:\A|;)\s*+(?:[^=;]*+=)?+([^;]++)"),
    "set-cookie": re.compile(rb"\A(?:[^=;]*+=)?+([^;]++)"),
}
_URL_USER = re.compile(rb"://([^/?#@\s\"'\\<>]++)@")


class Places:
    """Finds secrets by the names of *headers*, *query* parameters and *fields*.

    Names of headers are lower case; the others are as in `SECRET_FIELDS`.
    """

    def __init__(
        self, *, headers: Collection[str], query: Collection[str], fields: Collection[str]
    ) -> None:
        self._headers = frozenset(name.lower() for name in headers)
        names = _names(query)
        self._query = re.compile(rb"(?i)[?&#](%s)=([^&#\s\"'<>]++)" % names)
        names = _names(fields)
        self._form = re.compile(rb"(?i)(?:^|&)(%s)=([^&]++)" % names)
        self._part = re.compile(
            rb'(?is)name="(%s)"[^\r\n]*+\r\n(?:[^\r\n]++\r\n){0,9}+\r\n(.+?)(?=\r\n--|\Z)' % names
        )
        self._field = re.compile(rb'(?is)"(%s)"\s*+:\s*+"((?:[^"\\]++|\\.)++)' % names)
        # In a string in a string \" is a quote, \\\" one that is escaped, and \\n a line end.
        self._inner_field = re.compile(
            rb'(?is)\\"(%s)\\"(?:\s|\\[nrt])*+:(?:\s|\\[nrt])*+\\"'
            rb'((?:[^"\\]++|\\[^"\\]|\\\\(?:\\.|[^"\\]))++)' % names
        )

    def header(self, name: str, text: bytes) -> Iterator[Finding]:
        """What is secret in the value *text* of the header *name*."""
        if name not in self._headers:
            yield from self.url(text)
            return
        kind = "cookie" if name in {"cookie", "set-cookie"} else "header"
        for match in _IN_HEADER.get(name, _AFTER_SCHEME).finditer(text):
            yield Finding(*match.span(1), kind)

    def url(self, text: bytes) -> Iterator[Finding]:
        """What is secret in a URL, or in the URLs of a *text*."""
        if b"@" in text:
            for match in _URL_USER.finditer(text):
                yield Finding(*match.span(1), "user of a url")
        if b"=" in text:
            yield from _named("query parameter", self._query, text)

    def body(self, text: bytes, content_type: str) -> Iterator[Finding]:
        """What is secret in a body that is no stream."""
        if content_type.startswith("application/x-www-form-urlencoded"):
            yield from _named("form field", self._form, text)
        elif content_type.startswith("multipart/"):
            yield from _named("form field", self._part, text)
        yield from _named("field", self._field, text)
        yield from _named("field", self._inner_field, text)


def _named(kind: str, pattern: re.Pattern[bytes], text: bytes) -> Iterator[Finding]:
    for match in pattern.finditer(text):
        yield Finding(*match.span(2), f"{kind} {match[1].decode()}")


def _names(names: Collection[str]) -> bytes:
    """A pattern for the *names*, and for none if there are none."""
    spelt = ("[_-]?".join(map(re.escape, re.split("[_-]", name))) for name in sorted(names))
    return "|".join(spelt).encode() or b"(?!)"
