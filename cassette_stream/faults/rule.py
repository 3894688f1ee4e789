"""Which fault, where, when and how often: one line of a plan.

A rule is a value that is checked when it is made, so nothing is broken before everything
that is to break it makes sense. Only `Rule.build` makes a fault of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, get_args

from cassette_stream.exceptions import PlanError, UnknownFaultError
from cassette_stream.faults.catalogue import catalogue
from cassette_stream.faults.draws import draw, drawn, random_of
from cassette_stream.faults.info import Expect, Fault, FaultInfo
from cassette_stream.faults.occasion import Match, Occasion, Span, span_of
from cassette_stream.faults.place import Place, check_place, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ("Rule", "info_of")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that goes wrong.

    Attributes:
        fault: The id of a fault of the catalogue; or a fault itself, any callable that takes
            a script and gives one, which then has neither *at* nor *parameters*.
        at: Where in the stream; what the catalogue says of the fault decides which places.
        parameters: What else the fault takes, where it is not what the fault does anyway.
            A number may be a `Range`, seconds may be a `Distribution`.
        name: What it is called in reports; part of what its chances are drawn by.
        request: Which requests, counted from 1: a number, a pair, or a text such as ``2..``.
        attempt: Which attempts at the same request, in the same way.
        times: How often it strikes at most.
        match: What the request is like.
        p: How likely it is to strike where it could.
        expect: What a correct client does; what the catalogue says if not given.

    Raises:
        UnknownFaultError: There is no such fault, or it takes no such parameter.
        PlanError: A value makes no sense.
    """

    fault: str | Fault
    at: Place | None = field(default=None, kw_only=True)
    parameters: Mapping[str, object] = field(default_factory=dict, kw_only=True)
    name: str = field(default="", kw_only=True)
    request: Span | int | tuple[int, int] | str | None = field(default=None, kw_only=True)
    attempt: Span | int | tuple[int, int] | str | None = field(default=None, kw_only=True)
    times: int | None = field(default=None, kw_only=True)
    match: Match | None = field(default=None, kw_only=True)
    p: float = field(default=1.0, kw_only=True)
    expect: Expect | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._check_scope()
        if isinstance(self.fault, str):
            self._check(info_of(self.fault))
        elif isinstance(self.fault, type):
            raise PlanError(f"{self.fault.__name__} is a class of faults: call it to make one")
        elif not callable(self.fault):
            raise PlanError(f"a fault is an id of the catalogue or a callable, not {self.fault!r}")
        elif self.at is not None or self.parameters:
            raise PlanError(f"{self.fault!r} has its place and parameters in it")

    def _check_scope(self) -> None:
        if not isinstance(self.name, str):
            raise PlanError(f"name is {self.name!r}; it can be a text")
        if self.match is not None and not isinstance(self.match, Match):
            raise PlanError(f"match is {self.match!r}; it can be a Match")
        if self.match == Match():
            object.__setattr__(self, "match", None)  # it holds everything
        for name in ("request", "attempt"):
            if (told := getattr(self, name)) is not None:
                object.__setattr__(self, name, span_of(name, told))
        if self.times is not None and not (_is_number(self.times, int) and self.times > 0):
            raise PlanError(f"times is {self.times!r}; it can be a whole number from 1")
        if not (_is_number(self.p, int, float) and 0 <= self.p <= 1):
            raise PlanError(f"p is {self.p!r}; it can be a number from 0 to 1")
        if self.expect is not None and self.expect not in get_args(Expect):
            raise PlanError(f"expect is {self.expect!r}; it can be {', '.join(get_args(Expect))}")

    def _check(self, info: FaultInfo) -> None:
        if self.at is None and info.places:
            raise PlanError(
                f"{info.id} takes a place ({', '.join(info.places)}), as in {info.id}@"
                f"{'event=3' if 'event' in info.places else info.places[0] + '=3'}"
            )
        if self.at is not None:
            check_place(self.at)
            if kind_of(self.at) not in info.places:
                takes = ", ".join(info.places) or "no place"
                raise PlanError(f"{info.id} takes {takes}, and not {self.at}")
        known = {parameter.name: parameter for parameter in info.parameters}
        read: dict[str, object] = {}
        for name, value in self.parameters.items():
            if name not in known:
                raise UnknownFaultError(f"{info.id} takes no {name!r}; {nearest(name, known)}")
            random = random_of(value, known[name])
            told = known[name].read(value) if random is None else random
            if told != known[name].default:  # as if it had not been given
                read[name] = told
        object.__setattr__(self, "parameters", read)
        if info.make is not None:
            # It may know more than the catalogue says, whatever is drawn in the end.
            place = {"at": self.at} if self.at is not None else {}
            sample = {name: drawn(it, known[name], info.id) for name, it in read.items()}
            info.make(**place, **sample)

    @property
    def info(self) -> FaultInfo | None:
        """Its row of the catalogue; None for a fault of the user's own."""
        return info_of(self.fault) if isinstance(self.fault, str) else None

    @property
    def layer(self) -> str:
        """The layer that it breaks; faults of the user's own are a layer of themselves."""
        return self.fault.partition(".")[0] if isinstance(self.fault, str) else "own"

    @property
    def is_gentle(self) -> bool:
        """Whether a correct client gives the full answer all the same."""
        told = self.info
        return (self.expect or (told.expect if told is not None else None)) == "tolerates"

    @property
    def is_random(self) -> bool:
        """Whether chance has a part in it."""
        plain = (str, int, float, bool)
        return self.p < 1 or not all(isinstance(it, plain) for it in self.parameters.values())

    def build(self) -> Fault:
        """The fault.

        Raises:
            PlanError: Chance has a part in it, so it is not one fault; or it is a probe.
        """
        if not isinstance(self.fault, str):
            return self.fault
        info = info_of(self.fault)
        if info.make is None:
            raise PlanError(f"{info.id} is a way to run code: chaos.sweep does that, no replay")
        if not all(isinstance(it, str | int | float | bool) for it in self.parameters.values()):
            raise PlanError(f"{info.id} has parameters that are drawn: resolve the plan first")
        place = {"at": self.at} if self.at is not None else {}
        return info.make(**place, **self.parameters)

    def applies(self, occasion: Occasion) -> bool:
        """Whether its scope holds *occasion*; chance is not asked."""
        return self.spans(occasion.number, occasion.attempt) and (
            self.match is None or self.match(occasion.request)
        )

    def spans(self, number: int, attempt: int) -> bool:
        """Whether its scope holds this attempt at this request, if they match."""
        request, attempts = self.request, self.attempt
        assert request is None or isinstance(request, Span)
        assert attempts is None or isinstance(attempts, Span)
        return (request is None or number in request) and (attempts is None or attempt in attempts)

    def resolve(self, seed: int, number: int, attempt: int) -> Rule | None:
        """The same rule for one attempt at a request, without chance; None if it is not drawn."""
        if not self.is_random:
            return self
        place = (seed, self.name, number, attempt, str(self.at or ""))
        if draw(*place) >= self.p:
            return None
        known = {it.name: it for it in (self.info.parameters if self.info else ())}
        parameters = {
            name: drawn(value, known[name], *place) for name, value in self.parameters.items()
        }
        return replace(
            self,
            parameters=parameters,
            request=Span(number, number),
            attempt=Span(attempt, attempt),
            p=1.0,
        )


def info_of(id_: str) -> FaultInfo:
    """The row of the catalogue with this id.

    Raises:
        UnknownFaultError: There is none; the message names the nearest.
    """
    info = catalogue().get(id_)
    if info is None:
        raise UnknownFaultError(f"no fault {id_!r}; {nearest(id_, catalogue())}")
    return info


def nearest(name: str, accepted: Iterable[str]) -> str:
    """What there is instead of *name*, in words."""
    names = list(accepted)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    few = len(names) <= 30
    there_are = f"there are {', '.join(names)}" if few else f"there are {len(names)}"
    there_are += "" if few else ": cassette-stream faults lists them"
    return (f"nearest: {near[0]}; " if near else "") + (there_are if names else "it takes none")


def _is_number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)
