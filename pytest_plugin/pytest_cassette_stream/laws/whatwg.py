"""What the WHATWG text says about event streams, rule by rule, and streams that need each rule.

A stream shrinks to ``data: x``, a blank line, and what the rule needs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from hypothesis import strategies as st

from cassette_stream.wire import ServerSentEvent, SSEDecoder
from pytest_cassette_stream.laws.reading import events_as_told, told_events
from pytest_cassette_stream.strategies import sse_streams

__all__ = (
    "BOM",
    "LINE_ENDS",
    "RULES",
    "Stream",
    "events_of",
    "spelt",
    "streams",
)

_TEXT = "https://html.spec.whatwg.org/multipage/server-sent-events.html"
_PARSE = f"{_TEXT}#parsing-an-event-stream"
_READ = f"{_TEXT}#event-stream-interpretation"
_META = "openai/openai-python#2722, openai/openai-python#3833, maximhq/bifrost#5874"

RULES = {
    "bom": f"one byte order mark at the start is no part of the stream: {_PARSE}",
    "cr": "a CR alone ends a line; Soju06/codex-lb#1011",
    "crlf": f"CR LF is one line end, wherever it is cut: {_PARSE}",
    "mixed_line_ends": f"CR, LF and CR LF may stand in one stream: {_PARSE}",
    "unicode_line_ends": "U+2028, U+2029, U+0085, VT, FF and FS to RS end no line: "
    "florimondmanca/httpx-sse#34, langchain-ai/langgraph#2560, Soju06/codex-lb#1010",
    "utf8": "characters of several bytes, which a network cuts where it likes",
    "invalid_utf8": f"bytes that are no UTF-8 are read as U+FFFD: {_PARSE}",
    "no_space": "the blank after the colon may be missing: openai/openai-python#498, "
    "envoyproxy/ai-gateway#2149",
    "two_spaces": f"only one blank after the colon is no part of the value: {_READ}",
    "empty_data": f"a data line without a value is an event with empty data: {_READ}",
    "event_alone": f"a block without data is no event, though it has a name: {_META}",
    "id_alone": f"a block without data is no event, though it has an id: {_META}",
    "retry_alone": f"a block without data is no event, though it has a time to retry: {_META}",
    "multi_line": f"data lines of one event are joined by LF: {_READ}",
    "blank_lines": f"further blank lines are no events: {_READ}",
    "comment": "a line that begins with a colon is ignored: googleapis/go-genai#903, "
    "open-webui/open-webui#1773",
    "event": f"an event name holds for its own block: {_READ}",
    "id": f"an id holds until there is another: {_READ}",
    "id_nul": f"an id with a NUL is ignored: {_READ}",
    "retry": f"a retry line is no part of the data: {_READ}",
    "unknown_field": f"a field of another name is ignored, and names are exact: {_READ}",
    "no_final_blank": f"what no blank line ends is no event: {_READ}",
}
"""The rules that a stream may need, with who sends such streams or the text that allows them."""

LINE_ENDS = {"": b"\n", "crlf": b"\r\n", "cr": b"\r"}
# The lines that need a rule by themselves, by that rule. Those that can be cut inside of a
# character stand side by side, so that one shrinks to the other.
_LINES = {
    "utf8": ("data: é".encode(), 'data: {"a": "🌍"}'.encode()),
    "unicode_line_ends": (
        "data: \u2028".encode(),
        "data: \u2029\x85".encode(),
        b"data: \x0b\x0c\x1c\x1d\x1e",
    ),
    "no_space": (b"data:x",),
    "two_spaces": (b"data:  x",),
    "empty_data": (b"data:", b"data"),
    "comment": (b": x", b":"),
    "event": (b"event: e",),
    "id": (b"id: 1", b"id"),
    "id_nul": (b"id: 2\0",),
    "retry": (b"retry: 1",),
    "unknown_field": (b"x: y", b"Data: x"),
    "invalid_utf8": (b"data: \xff", b"data: \xe2\x82"),
}
_ENDED = ("event", "id", "retry")
"""Rules whose lines often come alone."""
_ALONE = {b"event", b"id", b"retry"}
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Stream:
    """The bytes of a stream, and the rules that it takes to read them."""

    body: bytes
    rules: frozenset[str]

    @property
    def seen(self) -> dict[str, str]:
        return {name: text for name, text in RULES.items() if name in self.rules}

    def told(self, came: object) -> Any:
        return told_events(came)

    def expected(self, came: object) -> Any:
        return events_as_told(events_of(self.body), came)


def events_of(body: bytes) -> list[ServerSentEvent]:
    """The events of *body*, as the WHATWG text says."""
    decoder = SSEDecoder(errors="replace")
    return [*decoder.feed(body), *decoder.finish()]


@st.composite
def streams(draw: st.DrawFn, *, rules: Collection[str]) -> Stream:
    """Streams that need none but these *rules*."""
    drawn = draw(st.lists(_some_lines(rules), max_size=10))
    lines = _without([line for several in drawn for line in several], rules)
    ends = draw(_ends(rules))
    bom = "bom" in rules and draw(st.booleans())
    cut = "no_final_blank" in rules and draw(st.booleans())
    if lines and lines[-1] and not cut:
        lines.append(b"")
    body = (BOM if bom else b"") + _joined(lines, ends)
    needed = {rule for rule, known in _LINES.items() if any(line in known for line in lines)}
    needed |= {rule for rule, end in LINE_ENDS.items() if rule and end in ends}
    needed |= _by_block(lines)
    needed |= {"mixed_line_ends"} if len(set(ends)) > 1 else set()
    needed |= {"bom"} if bom else set()
    return Stream(body, frozenset(needed))


def _some_lines(rules: Collection[str]) -> st.SearchStrategy[tuple[bytes, ...]]:
    """A line, or two; blank lines often, so that most streams have several events."""
    blank = (b"",)
    by_rule = [(line,) for rule, lines in _LINES.items() if rule in rules for line in lines]
    ended = [(line, b"") for rule in _ENDED if rule in rules for line in _LINES[rule]]
    # One list, simplest first: a line then shrinks into any other.
    return st.sampled_from(
        [(b"data: x",), blank, (b"data: y",), blank, blank, blank, *by_rule, *ended]
    )


def spelt() -> st.SearchStrategy[Stream]:
    """Streams in every spelling, which need any of the rules; it is not known which."""
    return sse_streams(invalid_utf8=True).map(lambda found: Stream(found.body, frozenset()))


def _ends(rules: Collection[str]) -> st.SearchStrategy[list[bytes]]:
    """Line ends, to be taken in turn."""
    known = [end for rule, end in LINE_ENDS.items() if not rule or rule in rules]
    one = st.sampled_from(known).map(lambda end: [end])
    several = st.lists(st.sampled_from(known), min_size=2, max_size=3)
    return one | several if "mixed_line_ends" in rules and len(known) > 1 else one


def _joined(lines: Sequence[bytes], ends: Sequence[bytes]) -> bytes:
    """*lines*, each with its end; no LF of a blank line becomes half of a CR LF."""
    body = bytearray()
    for line, end in zip(lines, cycle(ends), strict=False):
        follows_cr = not line and body.endswith(b"\r")
        body += line + (b"\r" if follows_cr and end == b"\n" else end)
    return bytes(body)


def _without(lines: Iterable[bytes], rules: Collection[str]) -> list[bytes]:
    """*lines* mended so that blocks need none but these *rules*."""
    kept: list[bytes] = []
    block: list[bytes] = []
    for line in lines:
        if line:
            # A second data line is one too many; anything else may come twice.
            if "multi_line" in rules or not (_is_data(line) and any(map(_is_data, block))):
                block.append(line)
            continue
        kept += _ended(block, rules)
        block = []
    return kept + _ended(block, rules)[:-1]


def _ended(block: list[bytes], rules: Collection[str]) -> list[bytes]:
    """The lines of *block* and its blank line."""
    if not block:
        return [b""] if "blank_lines" in rules else []
    if not _alone(block) <= {*rules}:
        block = [*block, b"data: x"]
    return [*block, b""]


def _by_block(lines: Sequence[bytes]) -> set[str]:
    """The rules that blocks need as a whole."""
    needed: set[str] = set()
    block: list[bytes] = []
    for line in lines:
        if line:
            block.append(line)
            continue
        count = sum(map(_is_data, block))
        needed |= {"multi_line"} if count > 1 else set()
        needed |= _alone(block)
        needed |= set() if block else {"blank_lines"}
        block = []
    return needed | ({"no_final_blank"} if block else set())


def _alone(block: Iterable[bytes]) -> set[str]:
    """The rules that *block* needs because it has no data."""
    names = {line.partition(b":")[0] for line in block}
    return set() if b"data" in names else {f"{it.decode()}_alone" for it in names & _ALONE}


def _is_data(line: bytes) -> bool:
    return line.partition(b":")[0] == b"data"
