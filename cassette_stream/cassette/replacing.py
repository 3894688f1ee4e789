"""What is known while one interaction is redacted, and how a text is rid of what is known.

A text is searched as it stands, without its percent signs and JSON escapes, in its base64,
and along the lanes of its events. Where a text keeps its length every piece of a secret is
replaced by as many bytes, also within base64 and where a secret is split over events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cassette_stream.cassette.known import forms, is_telling, occurrences, readings
from cassette_stream.cassette.lanes import lanes
from cassette_stream.cassette.lanes import texts as lane_texts
from cassette_stream.cassette.layers import encoded, views
from cassette_stream.cassette.secrets import (
    PLACEHOLDER,
    Finding,
    is_placeholder,
    placeholder,
    scan,
)

__all__ = ("Known", "Replaced", "Replacement", "Replacing", "Text")

_DEEPEST = 2
"""How often base64 may stand in base64."""

_NEAR = 200
"""How much of a line is kept to tell a place by."""

_TAIL = 12
"""How much of a known secret must be left of it where a body was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A secret of this *kind* stood at this *place*; the *placeholder* stands there instead."""

    kind: str
    place: str
    placeholder: str


class Known(NamedTuple):
    """What a spelling stands for: the *secret*, of this *kind*."""

    secret: bytes
    kind: str


class Replaced(NamedTuple):
    """A replacement, what it replaced on its first line, and what stood there *before* it."""

    replacement: Replacement
    before: bytes
    secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text at a *place*: what is secret in it *by name*, and of which type it is, with events."""

    place: str
    raw: bytes
    by_name: Sequence[Finding] = ()
    keeps_length: bool = False
    events: str | None = None


class _Found(NamedTuple):
    start: int
    end: int
    kind: str
    secret: bytes


@dataclass(slots=True)
class Replacing:
    """Takes secrets out of the texts of one interaction.

    Args:
        known: Spellings of secrets that are known already.
        patterns: More shapes.
    """

    known: Mapping[bytes, Known]
    patterns: Sequence[re.Pattern[bytes]] = ()
    replaced: list[Replaced] = field(default_factory=list)
    _numbers: dict[bytes, int] = field(default_factory=dict)
    _used: int = 0

    def learn(self, texts: Iterable[Text]) -> None:
        """Know what stands by name in the *texts*."""
        echoes: dict[bytes, Known] = {}
        for text in texts:
            for start, end, _ in text.by_name:
                for secret in readings(text.raw[start:end]):
                    if is_telling(secret):
                        echoes |= dict.fromkeys(forms(secret), Known(secret, "known secret"))
        if echoes:
            self.known = {**echoes, **self.known}

    def clean(self, texts: Iterable[Text]) -> Iterator[bytes]:
        """The *texts* without secrets, also without those that stand by name in another."""
        texts = list(texts)
        self.learn(texts)
        said = [self._said(text) for text in texts]
        for text, lane in zip(texts, said, strict=True):
            self._note_numbers([text.raw, *lane])
        return iter([self._clean(*each) for each in zip(texts, said, strict=True)])

    def _said(self, text: Text) -> Sequence[bytes]:
        return () if text.events is None else tuple(lane_texts(text.raw, text.events))

    def findings(self, raw: bytes, depth: int = 0) -> list[Finding]:
        """The secrets in *raw* that need no place, wherever in it they hide."""
        found = self._found(raw)
        for text in lane_texts(raw):
            if self._found(text):
                found += [
                    _Found(*lane.back(each.start, each.end)[0], each.kind, each.secret)
                    for lane in lanes(raw)
                    for each in _disjoint(self._found(lane.text), lane.text)
                ]
                break
        return [Finding(*each[:3]) for each in _disjoint([*found, *self._hidden(raw, depth)], raw)]

    def _hidden(self, raw: bytes, depth: int) -> Iterator[_Found]:
        """The base64 in *raw* that holds a secret."""
        base64 = encoded(raw) if depth < _DEEPEST else None
        if base64 is not None:
            found = self.findings(base64.text, depth + 1)
            for start, end, which in base64.back([(each.start, each.end) for each in found]):
                begin, after, kind = found[which]
                yield _Found(start, end, kind, base64.text[begin:after])

    def _found(self, raw: bytes) -> list[_Found]:
        """The secrets in *raw* as it stands, and without its percent signs and escapes."""
        found = list(self._seen(raw))
        for view in views(raw):
            found += [
                _Found(*view.back(start, end), kind, secret)
                for start, end, kind, secret in self._seen(view.text)
            ]
        return found

    def _seen(self, raw: bytes) -> Iterator[_Found]:
        for start, end, kind in scan(raw):
            yield _Found(start, end, kind, raw[start:end])
        for start, form in occurrences(self.known, raw):
            yield _Found(start, start + len(form), *self.known[form][::-1])
        for form, (secret, kind) in self.known.items():
            if form == secret and (cut := _tail(form, raw)):
                yield _Found(len(raw) - cut, len(raw), kind, secret)
        for pattern in self.patterns:
            for match in pattern.finditer(raw):
                if match[0]:
                    yield _Found(*match.span(), "extra", match[0])

    def _clean(self, text: Text, said: Sequence[bytes]) -> bytes:
        raw = self._joined(text.raw, text.place, text.events or "", said)
        found = [
            _Found(start, end, kind, next(readings(raw[start:end])))
            for start, end, kind in text.by_name
        ]
        found += self._found(raw)
        if not text.keeps_length:
            found += self._hidden(raw, 0)
        raw = self._without(raw, found, text)
        return self._inside(raw, text.place) if text.keeps_length else raw

    def _without(self, raw: bytes, found: list[_Found], text: Text) -> bytes:
        out: list[bytes] = []
        done = 0
        for start, end, kind, secret in _disjoint(found, raw):
            stands_in = self._placeholder(secret, raw[start:end] if text.keeps_length else None)
            out += raw[done:start], stands_in
            self._report(stands_in, kind, text.place, raw, (start, end))
            done = end
        return b"".join([*out, raw[done:]])

    def _joined(self, raw: bytes, place: str, content_type: str, said: Iterable[bytes]) -> bytes:
        """*raw* without the secrets that are split over its events, which *said* this."""
        if not any(self._found(text) for text in said):
            return raw
        out = bytearray(raw)
        alone = self._found(raw)
        for lane in lanes(raw, content_type):
            for start, end, kind, secret in _disjoint(self._found(lane.text), lane.text):
                spans = lane.back(start, end)
                # One that lies in a single event may be known by what an earlier one says.
                if len(spans) > 1 or not any(_covers(it, spans[0]) for it in alone):
                    like = b"".join(raw[begin:after] for begin, after in spans)
                    stands_in = self._placeholder(secret, like)
                    self._report(stands_in, kind, place, raw, spans[0])
                    for begin, after in spans:
                        out[begin:after] = stands_in[: after - begin]
                        stands_in = stands_in[after - begin :]
        return bytes(out)

    def _inside(self, raw: bytes, place: str, depth: int = 0) -> bytes:
        """*raw* without the secrets in its base64, which still decodes."""
        base64 = encoded(raw) if depth < _DEEPEST else None
        if base64 is None:
            return raw
        text = Text(place=place, raw=base64.text, keeps_length=True)
        inner = self._joined(base64.text, place, "", lane_texts(base64.text))
        inner = self._without(inner, self._found(inner), text)
        inner = self._inside(inner, place, depth + 1)
        return raw if inner == base64.text else base64.with_text(inner, raw)

    def _placeholder(self, secret: bytes, like: bytes | None) -> bytes:
        if secret not in self._numbers:
            self._used += 1
            self._numbers[secret] = self._used
        return placeholder(self._numbers[secret], like)

    def _report(
        self, stands_in: bytes, kind: str, place: str, raw: bytes, span: tuple[int, int]
    ) -> None:
        start, end = span
        near = max(0, start - _NEAR)
        line = max(near - 1, raw.rfind(b"\n", near, start), raw.rfind(b"\r", near, start)) + 1
        first = raw[start:end].partition(b"\n")[0]
        replacement = Replacement(kind=kind, place=place, placeholder=stands_in.decode())
        self.replaced.append(Replaced(replacement, raw[line:start], first))

    def _note_numbers(self, texts: Iterable[bytes]) -> None:
        """Go on counting after the placeholders that are in the *texts*."""
        for text in texts:
            for match in _NUMBER.finditer(text) if b"REDACTED-" in text else ():
                self._used = max(self._used, int(match[1]))


_NUMBER = re.compile(rb"REDACTED-([1-9][0-9]{0,8})")


def _covers(found: _Found, span: tuple[int, int]) -> bool:
    return found.start <= span[0] and span[1] <= found.end


def _tail(secret: bytes, raw: bytes) -> int:
    """How many bytes at the end of *raw* are the beginning of the *secret*."""
    if b" " in secret or secret[:_TAIL] not in raw[-len(secret) :]:
        return 0
    sizes = range(len(secret) - 1, _TAIL - 1, -1)
    return next((size for size in sizes if raw.endswith(secret[:size])), 0)


def _disjoint(findings: Sequence[_Found], raw: bytes) -> list[_Found]:
    """The *findings* in order, those that overlap as one, and no placeholders."""
    if not findings:
        return []
    kept = [match.span() for match in PLACEHOLDER.finditer(raw)] if b"REDACTED-" in raw else []
    found: list[_Found] = []
    for each in sorted(findings, key=lambda finding: (finding.start, -finding.end)):
        last = found[-1] if found else None
        if last is not None and each.start < last.end:
            if each.end > last.end:
                found[-1] = last._replace(end=each.end, secret=raw[last.start : each.end])
        elif not is_placeholder(raw[each.start : each.end]) and not any(
            start <= each.start and each.end <= end for start, end in kept
        ):
            found.append(each)
    return found
