"""Streams of a dialect and what they say: as they should be, and as providers send them."""

from __future__ import annotations

import copy
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hypothesis import strategies as st

from cassette_stream import ChatCompletionMessageToolCall, Function, NormalForm, dialects
from cassette_stream.chaos import Answer, answer_of
from cassette_stream.exceptions import StreamTruncatedError
from pytest_cassette_stream.laws.framing import Framing, framings
from pytest_cassette_stream.laws.native import NATIVE
from pytest_cassette_stream.laws.reading import answer_as_told, told_answer
from pytest_cassette_stream.laws.said import Call, Said, said_by
from pytest_cassette_stream.strategies import (
    ChunkStream,
    chunk_streams,
    completions,
)
from pytest_cassette_stream.strategies.quirks import QUIRKS as REPORTED
from pytest_cassette_stream.strategies.quirks import quirks
from pytest_cassette_stream.strategies.sdk import objects
from pytest_cassette_stream.strategies.streams import As
from pytest_cassette_stream.strategies.wires import bytes_of

__all__ = ("LATE", "QUIRKS", "Case", "Framed", "framed", "late", "plain", "quirks_of", "quirky")

LATE = {
    "finish_with_content": "The finish reason comes together with the last piece "
    "(Chevey339/kelivo#1003).",
    "content_after_finish": "The last piece comes behind the finish reason "
    "(Chevey339/kelivo#1003).",
}
"""What else providers do with the end of an answer, by name."""
QUIRKS = dict(REPORTED) | LATE | {name: it.text for name, it in NATIVE.items()}
"""All that providers do otherwise: what happens, and who reported it."""

# Few and short: what is done with a text does not depend on what it says, but for these.
_TEXTS = st.sampled_from(["x", "é🌍", "", "a\u2028b", "two words", "data: [DONE]\n\n"])
_ARGUMENTS = ("{}", '{"a": "x"}', '{"größe": "é🌍"}', '{"a": {"a": 1}, "b": [1, null]}', " {}\n")
_CALLS = st.builds(
    ChatCompletionMessageToolCall,
    id=st.sampled_from(["call_a", "call_b", "call_c"]),
    function=st.builds(
        Function, name=st.sampled_from(["f", "g"]), arguments=st.sampled_from(_ARGUMENTS)
    ),
)
_LATE_ANSWERS = completions(
    dialect="openai_chat", calls=_CALLS, min_calls=1, max_calls=1, texts=_TEXTS, reasoning=False
)


@dataclass(frozen=True)
class Case:
    """A stream as events of JSON, and what it says; *quirk* is what is odd about it."""

    dialect: str
    events: tuple[Any, ...]
    said: Said
    quirk: str = ""
    as_: As = "dicts"

    @property
    def chunks(self) -> list[Any]:
        """The stream as its reader gets it, made anew each time: accumulators write in it."""
        events = copy.deepcopy(list(self.events))
        match self.as_:
            case "dicts":
                return events
            case "sdk":
                return objects(self.dialect, events)
            case "chunks":
                return _normal(self.dialect, events)

    @property
    def seen(self) -> dict[str, str]:
        """Who sends such a stream."""
        return {self.quirk: QUIRKS[self.quirk]} if self.quirk else {}

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of its calls, as far as the provider sends them."""
        return frozenset(call.id for call in self.said.calls or () if call.id)


def _normal(dialect: str, events: list[Any]) -> list[Any]:
    decoder, form = getattr(dialects, dialect).Decoder(strict=False), NormalForm()
    body = b"".join(bytes_of(dialect, event) for event in events)
    chunks = [*form.feed(decoder.feed(body))]
    with suppress(StreamTruncatedError):  # the beginning of a stream has chunks as well
        chunks += form.feed(decoder.finish())
    return [*chunks, *form.end()]


def plain(dialect: str, as_: As = "dicts") -> st.SearchStrategy[Case]:
    """Streams as the provider of *dialect* sends them."""
    return _streams(dialect).map(lambda stream: _case(stream, as_))


def _streams(dialect: str) -> st.SearchStrategy[ChunkStream]:
    answers = completions(dialect=dialect, calls=_CALLS, texts=_TEXTS, reasoning=False)
    return chunk_streams(dialect=dialect, completions=answers)


def _one_call(dialect: str) -> st.SearchStrategy[ChunkStream]:
    """Streams of a call alone: there the first event may say something already."""
    answers = completions(
        dialect=dialect,
        calls=_CALLS,
        min_calls=1,
        max_calls=1,
        texts=st.just(""),
        reasoning=False,
    )
    return chunk_streams(dialect=dialect, completions=answers)


def _case(stream: ChunkStream, as_: As) -> Case:
    said = said_by(stream.expected)
    if stream.dialect == "ollama" and as_ == "sdk":
        # Its objects have no place for the ids.
        said = replace(said, calls=tuple(replace(call, id="") for call in said.calls or ()))
    return Case(stream.dialect, tuple(stream.chunks), said, as_=as_)


def quirks_of(dialect: str) -> list[str]:
    """Those of `QUIRKS` that providers of *dialect* have."""
    if dialect == "openai_chat":
        return [*REPORTED, *LATE]
    return [name for name, it in NATIVE.items() if dialect in it.dialects]


def quirky(quirk: str, as_: As = "dicts", dialect: str = "openai_chat") -> st.SearchStrategy[Case]:
    """Streams of *dialect* with the one *quirk*, of `quirks_of` it."""
    if quirk in NATIVE:
        native = NATIVE[quirk]
        return native.streams(dialect).map(lambda stream: _native(_case(stream, as_), quirk))
    if quirk in LATE:
        streams = chunk_streams(dialect="openai_chat", completions=_LATE_ANSWERS)
        return streams.map(lambda stream: late(_case(stream, as_), quirk))
    return quirks(only=quirk).map(
        lambda found: Case(
            "openai_chat",
            found.chunks,
            Said(
                found.content or "",
                tuple(Call(it.id, it.name, it.arguments) for it in found.calls),
            ),
            quirk,
            as_,
        )
    )


def _native(case: Case, quirk: str) -> Case:
    events, said = tuple(NATIVE[quirk].rewritten(case.events)), case.said
    if NATIVE[quirk].without_ids and case.as_ != "sdk":
        said = replace(said, calls=tuple(replace(call, id=None) for call in said.calls or ()))
    return replace(case, events=events, said=said, quirk=quirk)


def late(case: Case, quirk: str) -> Case:
    """*case* with its finish reason moved: to the last piece, or before it."""
    events = copy.deepcopy(list(case.events))
    at = next(n for n, it in enumerate(events) if _finish(it) is not None)
    if quirk == "finish_with_content":
        events[at - 1]["choices"][0]["finish_reason"] = _finish(events.pop(at))
    else:
        events[at - 1], events[at] = events[at], events[at - 1]
    return replace(case, events=tuple(events), quirk=quirk)


def _finish(event: Any) -> str | None:
    return next((choice["finish_reason"] for choice in event["choices"]), None)


@dataclass(frozen=True)
class Framed:
    """The bytes of a provider's stream, the answer in it, and how its events are written."""

    body: bytes
    answer: Answer
    framing: Framing

    @property
    def seen(self) -> dict[str, str]:
        return self.framing.seen

    def told(self, came: object) -> Any:
        return told_answer(came)

    def expected(self, came: object) -> Any:
        return answer_as_told(self.answer, came)


def framed(dialect: str, rules: Collection[str]) -> st.SearchStrategy[Framed]:
    """Streams of *dialect* whose framing needs none but these *rules*."""
    return st.builds(
        lambda stream, framing: Framed(framing(stream.body), _answer(stream), framing),
        _streams(dialect) | _one_call(dialect),
        framings(dialect, rules),
    )


def _answer(stream: ChunkStream) -> Answer:
    answer = answer_of(stream.expected)
    assert answer is not None  # a completion is one
    return answer
