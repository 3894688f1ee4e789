"""Whether a fault strikes.

A fault that changes nothing makes a test that proves nothing, so it must be noticed. It
is noticed from outside, by comparing the steps that a fault is given with those that it
gives: no fault has to tell.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.edit import dialect_in
from cassette_stream.faults.framing import FRAMINGS
from cassette_stream.faults.place import Place
from cassette_stream.faults.seek import why_missing
from cassette_stream.faults.seen import framing_in
from cassette_stream.faults.spec import spec_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cassette_stream.faults.info import Fault, FaultInfo
    from cassette_stream.faults.rule import Rule
    from cassette_stream.script import Script, Step

__all__ = ("watch", "why_unfired")

_MOST_STEPS = 100_000


def watch(fault: Fault, script: Script, on_strike: Callable[[], object]) -> Script:
    """The *script* as *fault* rewrites it; *on_strike* is called once, where they first differ.

    It is called before the step that differs is given, and never if the caller stops
    before that or if the two are the same to their end. Where it returns False the fault
    may not strike, and the script goes on as it was.
    """
    given: deque[Step] = deque()
    source, has_struck = iter(script), False

    def noted() -> Iterator[Step]:
        for step in source:
            if not has_struck:
                given.append(step)
            yield step

    told = iter(fault(noted()))
    for step in told:
        if given and given[0] == step:
            given.popleft()
            yield step
            continue
        if on_strike() is False:
            break
        has_struck = True
        yield step
        yield from told
        return
    else:
        if not given and (left := next(source, None)) is not None:
            given.append(left)
        if given and on_strike() is not False:
            return
    yield from given
    yield from source


def why_unfired(fault: Fault, scripts: Iterable[Script], rule: Rule | None = None) -> str:
    """Why *fault* never struck, as the text of an error.

    *scripts* are the whole scripts that it was given, told anew; *rule* is whose it is.
    """
    info = None if rule is None else rule.info
    told = (list(islice(script, _MOST_STEPS)) for script in scripts)  # one may be endless
    reasons = dict.fromkeys(_reason(fault, steps, info) for steps in told)
    why = "; ".join(reasons) or "no recorded response was played"
    return f"{_name(fault, rule)} never fired: {why}"


def _name(fault: Fault, rule: Rule | None) -> str:
    try:
        return spec_of(fault) if rule is None else text_of(rule)
    except PlanError:
        return repr(fault)


def _reason(fault: Fault, steps: list[Step], info: FaultInfo | None) -> str:
    strikes: list[bool] = []
    for _ in watch(fault, iter(steps), lambda: strikes.append(True)):
        if strikes:
            break
    if strikes:
        return "the stream was not read that far"
    if info is not None and info.dialects is not None:
        dialect = dialect_in(steps)
        if not info.has(dialect):
            known = ", ".join(sorted(info.dialects))
            return f"it is for streams of {known}, and this is {dialect or 'of no known dialect'}"
    if info is not None and info.framings is not None:
        framing = framing_in(steps)
        if framing not in info.framings:
            known = " and ".join(FRAMINGS[it] for it in sorted(info.framings))
            return f"it is for {known}, and these are {FRAMINGS[framing]}"
    place = getattr(fault, "at", None)
    missing = why_missing(iter(steps), place) if isinstance(place, Place) else None
    return missing or "the stream is the same with it"
