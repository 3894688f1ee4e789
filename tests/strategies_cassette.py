"""Cassettes for Hypothesis: `cassettes()`, `interactions()`, `requests()`, and texts that break writers."""

from __future__ import annotations

import json
from array import array
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from cassette_stream.cassette.model import (
    Cassette,
    Ending,
    How,
    Interaction,
    Request,
    Response,
)
from cassette_stream.script import FailureKind

TRAPS = {
    "plain ascii": "data: hello\n\n",
    "no final newline": "a\nb",
    "two final newlines": "a\n\n",
    "leading space": "  x\ny",
    "leading newline": "\nx",
    "leading tab": "\tx\ny",
    "trailing spaces": "a  \nb ",
    "only spaces": "   ",
    "only newlines": "\n\n\n",
    "spaces on the last line": "a\n   ",
    "blank lines of spaces": "a\n    \n     \n  \nb\n",
    "crlf": "a\r\nb\r\n",
    "crlf and blank lines": "a\r\n\r\nb\r\n\r\n",
    "cr only": "a\rb\r",
    "mixed line ends": "a\r\nb\nc\rd",
    "crlf and cr": "a\r\r\nb\r\n",
    "next line": "a\u0085b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "byte order mark first": "\ufeffdata: x",
    "byte order mark inside": "a\ufeffb",
    "nul": "a\0b",
    "escape": "a\x1bb",
    "vertical tab and form feed": "a\vb\fc",
    "file, group, record separators": "a\x1cb\x1dc\x1ed",
    "delete": "a\x7fb",
    "c1": "a\x80b\x9fc",
    "emoji": "a\U0001f600b",
    "lone high surrogate": "a\ud83db",
    "no characters": "a\ufffeb\uffffc",
    "nfd": "e\u0301",
    "nfc": "\u00e9",
    "ideographic space": "\u3000a\u3000",
    "NO": "NO",
    "on": "on",
    "y": "y",
    "null": "null",
    "tilde": "~",
    "exponent": "1e3",
    "octal": "0o17",
    "old octal": "017",
    "hexadecimal": "0x1F",
    "underscore": "1_000",
    "sexagesimal": "12:30:45",
    "date": "2024-01-01",
    "infinity": ".inf",
    "equals": "=",
    "merge": "<<",
    "colon": "a: b",
    "colon last": "a:",
    "hash": "a #b",
    "dash": "- a",
    "question mark": "? a",
    "document start": "---\nx",
    "document start inside": "x\n---\ny\n",
    "document end": "...\nx",
    "directive": "%YAML 1.1\nx",
    "anchor, alias, tag": "&a *b !c",
    "tab inside": "a\tb",
    "tab indent": "\t- x",
    "long line": "x y " * 1250,
    "quotes": "'\"\\",
    "backslash last": "a\\\nb\\",
    "percent": "%",
    "flow": "[a, b] {c: d}",
    "looks like our own": "x\nresponse:\n  body: |2+\n    y\n---\n",
    "empty": "",
}
"""Texts that break naive writers of YAML."""

texts = st.one_of(
    st.sampled_from([trap for trap in TRAPS.values() if "\ud83d" not in trap]),
    st.text(alphabet="ab :#-\n\r\t\"\\'\u00e9\u0085\u2028\ufeff\0\x7f\U0001f600", max_size=12),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
latin1 = texts.map(lambda text: text.encode("latin-1", "ignore").decode("latin-1"))
words = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=4)
        | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=12,
)
json_bodies = st.builds(
    lambda value, indent, ascii_: json.dumps(value, indent=indent, ensure_ascii=ascii_).encode(),
    json_values,
    st.sampled_from([None, 2]),
    st.booleans(),
)
event_bodies = st.builds(
    lambda data, end: b"".join(b"data: %b%b%b" % (item.encode(), end, end) for item in data),
    st.lists(texts, max_size=4),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
bodies = st.one_of(
    event_bodies,
    texts.map(str.encode),
    json_bodies,
    st.binary(max_size=40),
    st.sampled_from([trap.encode("utf-8", "surrogatepass") for trap in TRAPS.values()]),
)
microseconds = st.integers(0, 10**6) | st.integers(0, 10**15 - 1)


def headers() -> st.SearchStrategy[dict[str, tuple[str, ...]]]:
    """Headers as a cassette keeps them: names in lower case, values in Latin-1."""
    # YAML takes no key of more than 1,024 characters.
    names = words | latin1.map(lambda name: name[:50]).filter(lambda name: name == name.lower())
    return st.dictionaries(names, st.lists(latin1, max_size=3).map(tuple), max_size=3)


def requests() -> st.SearchStrategy[Request]:
    """Requests with bodies of every kind."""
    methods = st.sampled_from(["GET", "POST"]) | texts
    return st.builds(Request, method=methods, url=texts, headers=headers(), body=bodies)


def broken_endings() -> st.SearchStrategy[Ending]:
    """Endings of what did not end complete."""
    stopped = st.builds(
        Ending, how=st.sampled_from([How.CLOSED_BY_CALLER, How.CANCELLED]), after_us=microseconds
    )
    failed = st.builds(
        Ending,
        how=st.just(How.FAILURE),
        after_us=microseconds,
        failure=st.sampled_from(FailureKind),
        message=texts,
    )
    return stopped | failed


@st.composite
def responses(draw: st.DrawFn) -> Response:
    """Responses whose bodies are cut anywhere, into empty frames, too."""
    body = draw(bodies)
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=6)))
    places = [0, *cuts, len(body)] if body or cuts else []
    sizes = [end - start for start, end in pairwise(places)]
    gaps = draw(st.lists(microseconds, min_size=len(sizes), max_size=len(sizes)))
    return Response(
        status=draw(st.integers(100, 999)),
        http_version=draw(st.sampled_from(["HTTP/1.1", "HTTP/2"]) | texts),
        reason=draw(st.none() | texts),
        headers=draw(headers()),
        head_after_us=draw(microseconds),
        body=body,
        sizes=array("q", sizes),
        gaps_us=array("q", gaps),
        ending=draw(st.just(Ending(how=How.COMPLETE)) | broken_endings()),
        removed_coding=draw(st.none() | st.sampled_from(["gzip", "br, gzip"])),
    )


@st.composite
def interactions(draw: st.DrawFn) -> Interaction:
    """Interactions, some of which got no response."""
    millisecond = st.integers(0, 999).map(lambda ms: ms * 1000)
    whole = st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC))
    date = draw(whole).replace(microsecond=draw(millisecond))
    answered = draw(st.booleans())
    return Interaction(
        recorded_at=date,
        request=draw(requests()),
        response=draw(responses()) if answered else None,
        failure=None if answered else draw(broken_endings()),
        incomplete=draw(st.booleans()),
    )


def cassettes(max_size: int = 3) -> st.SearchStrategy[Cassette]:
    """Whole cassettes of at most *max_size* interactions."""
    held = st.lists(interactions(), max_size=max_size).map(tuple)
    return st.builds(Cassette, interactions=held, recorded_with=texts)
