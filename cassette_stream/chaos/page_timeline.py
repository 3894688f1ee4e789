"""What was delivered in one trial, beside the clean run: lanes of one scale, as inline SVG.

Four fifths of the width are the time of the clean run, at the same scale in every trial;
what comes later, such as a silence of ten minutes, shares the last fifth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cassette_stream.chaos.page_text import counted, lasting, shown
from cassette_stream.chaos.report import CleanRun
from cassette_stream.chaos.results import Delivery, Result
from cassette_stream.chaos.verdict import Verdict

__all__ = ("KEY", "Timeline", "clean_lanes")

_WIDE, _MAIN, _HIGH = 1000, 800, 20
_BOX = f'viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none" aria-hidden="true"'
_MARKS = (
    ('<path class="f" d="M7 1v12"/>', "a frame"),
    ('<path class="x" d="M7 0v14"/>', "the fault shows"),
    ('<path class="e complete" d="M7 0v14"/>', "the body is complete"),
    ('<path class="e" d="M7 0v14"/>', "it failed"),
    ('<path class="e left" d="M7 0v14"/>', "its reader left"),
)
KEY = (
    '<p class="key">'
    + "".join(f'<span><svg viewBox="0 0 14 14">{mark}</svg>{word}</span>' for mark, word in _MARKS)
    + "<span>four fifths of a line are the time of the clean run, the rest is all that comes later"
    "</span></p>"
)
"""What the marks mean."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Milliseconds to places: up to *main* in the wide part, up to *end* in the rest."""

    main: float
    end: float

    def __call__(self, moment: float) -> int:
        if moment <= self.main:
            return round(max(0.0, moment) / self.main * _MAIN)
        left = (moment - self.main) / max(self.end - self.main, 1e-9)
        return round(_MAIN + min(1.0, left) * (_WIDE - _MAIN - 4))


def _last(delivery: Delivery) -> float:
    """The last moment that is known of it, in milliseconds."""
    return max([at for at, _ in delivery.frames[-1:]] + [delivery.struck_ms or 0.0])


def _main(clean: CleanRun) -> float:
    moments = [_last(delivery) for delivery in clean.deliveries] + [clean.seconds * 1000]
    most = max(filter(math.isfinite, moments), default=0.0)
    return most * 1.06 or 1.0


def clean_lanes(clean: CleanRun) -> str:
    """The lanes of the clean run, once for the whole page; timelines refer to them."""
    main = _main(clean)
    symbols = (
        f'<g id="clean-{number}">{_marks(it, _last(it), _Scale(main, main))}</g>'
        for number, it in enumerate(clean.deliveries, 1)
    )
    return (
        f'<svg width="0" height="0" style="position:absolute"><defs>{"".join(symbols)}</defs></svg>'
    )


@dataclass(frozen=True, slots=True)
class Timeline:
    """Draws the trials of a report."""

    clean: CleanRun

    def lanes(self, result: Result) -> str:
        """The timeline of *result*: clean, broken, and what the subject did."""
        main, seconds = _main(self.clean), result.seconds * 1000
        moments = [seconds, *(at for it in result.deliveries for at, _ in it.frames)]
        scale = _Scale(main, max([main, *filter(math.isfinite, moments)]))
        rows = [*self._clean(), *self._broken(result, scale)]
        rows.append(_row("subject", _subject(result, scale), _did(result)))
        return "".join(rows) + _axis(scale)

    def _clean(self) -> Iterator[str]:
        for number, it in enumerate(self.clean.deliveries, 1):
            picture = f'<use href="#clean-{number}"/>'
            yield _row(_named("clean", number, self.clean.deliveries), picture, _told(it))

    def _broken(self, result: Result, scale: _Scale) -> Iterator[str]:
        for number, it in enumerate(result.deliveries, 1):
            # With one reply the run ends with it; of several only the frames are known.
            end = _last(it)
            if len(result.deliveries) == 1:
                end = max(end, result.seconds * 1000)
            picture = _marks(it, end, scale)
            yield _row(_named("broken", number, result.deliveries), picture, _told(it))


def _named(word: str, number: int, several: Sequence[Delivery]) -> str:
    return word if len(several) == 1 else f"{word} {number}"


def _row(who: str, picture: str, say: str) -> str:
    return (
        f'<div class="lane"><span class="who">{shown(who)}</span><svg {_BOX}>{picture}</svg>'
        f'<span class="say">{shown(say)}</span></div>'
    )


def _marks(delivery: Delivery, end: float, scale: _Scale) -> str:
    stop = scale(end)
    parts = [f'<path class="b" d="M0 10H{stop}"/>']
    if delivery.struck_ms is not None:
        struck = scale(delivery.struck_ms)
        parts.append(f'<rect class="a" x="{struck}" width="{_WIDE - struck}" height="{_HIGH}"/>')
    places = dict.fromkeys(scale(at) for at, _ in delivery.frames)
    if places:
        parts.append(f'<path class="f" d="{"".join(f"M{x} 3v14" for x in places)}"/>')
    if delivery.struck_ms is not None:
        parts.append(f'<path class="x" d="M{scale(delivery.struck_ms)} 0v{_HIGH}"/>')
    if scale.end > scale.main:
        parts.append(f'<path class="d" d="M{_MAIN} 0v{_HIGH}"/>')
    kind = {"complete": " complete", None: " left"}.get(delivery.ending, "")
    # Beside the last frame, which it would hide.
    parts.append(f'<path class="e{kind}" d="M{min(stop + 4, _WIDE - 2)} 0v{_HIGH}"/>')
    return "".join(parts)


def _told(delivery: Delivery) -> str:
    how = (delivery.ending or "its reader left").replace("_", " ")
    text = f"{counted(delivery.events, 'event')}, {counted(delivery.bytes, 'byte')}, {how}"
    if delivery.struck_bytes is not None:
        text += f"; struck after {counted(delivery.struck_bytes, 'byte')}"
    return text + ("" if delivery.is_closed else "; left open")


def _subject(result: Result, scale: _Scale) -> str:
    kind = str(result.verdict)
    end = scale(result.seconds * 1000)
    return f'<rect class="s {kind}" y="6" width="{max(end, 3)}" height="8"/>'


def _did(result: Result) -> str:
    after = f"after {lasting(result.seconds * 1000)}"
    if result.verdict is Verdict.HANG:
        return f"hung ({after} of virtual time)"
    return f"{'returned' if result.error is None else 'raised'} {after}"


def _axis(scale: _Scale) -> str:
    later = f'<span style="right:0">{lasting(scale.end)}</span>' if scale.end > scale.main else ""
    return (
        '<div class="lane only"><span></span><div class="axis"><span style="left:0">0</span>'
        f'<span style="left:{_MAIN / _WIDE:.0%};transform:translateX(-100%)">'
        f"{lasting(scale.main)}</span>{later}</div><span></span></div>"
    )
