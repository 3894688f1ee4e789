"""Chance without luck: every draw is a hash of what it is for.

No state, no order, no global generator: the same seed and the same place give the same
draw in every process, on every thread, in any order of tests.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.parameter import Parameter, seconds_of

__all__ = ("Distribution", "Range", "draw", "drawn", "random_of")

_BITS = 53


def draw(*place: str | int) -> float:
    """A number from 0 up to, and without, 1, made of *place*."""
    text = json.dumps(place, ensure_ascii=False, separators=(",", ":"))
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> (64 - _BITS)) / (1 << _BITS)


@dataclass(frozen=True, slots=True)
class Range:
    """Any number from *low* to *high*, each as likely; whole ones where the parameter is."""

    low: float
    high: float

    def at(self, chance: float, *, whole: bool) -> float:
        if whole:
            return int(self.low) + math.floor(chance * (int(self.high) - int(self.low) + 1))
        return self.low + chance * (self.high - self.low)

    def __str__(self) -> str:
        return f"{self.low!r}..{self.high!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Seconds, most of them near *median* and a few much longer, none longer than *most*.

    The logarithm is normal, with the standard deviation *sigma*.
    """

    median: float
    sigma: float
    most: float = math.inf

    def at(self, chance: float, *, whole: bool) -> float:
        # A chance of exactly 0 would be infinitely far out.
        deviate = NormalDist().inv_cdf(chance or 2.0**-_BITS)
        seconds = min(self.most, self.median * math.exp(self.sigma * deviate))
        return round(seconds) if whole else seconds


def random_of(value: object, parameter: Parameter) -> Range | Distribution | None:
    """The random value that *value*, of a plan or in text, stands for; None if it is a plain one.

    Raises:
        PlanError: It is a random value that is out of range, or a distribution that there is not.
    """
    if isinstance(value, Range | Distribution):
        return value
    if isinstance(value, dict):
        return _distribution(value, parameter)
    if isinstance(value, str) and ".." in value and not isinstance(parameter.default, str):
        low, high = (parameter.read(part.strip()) for part in value.split("..", 1))
        assert not isinstance(low, str)
        assert not isinstance(high, str)
        if not low <= high < math.inf:
            raise PlanError(f"{parameter.name} is {value!r}; a range goes up, and has an end")
        return Range(low, high)
    return None


def _distribution(value: dict[str, object], parameter: Parameter) -> Range | Distribution:
    told = dict(value)
    kind = told.pop("distribution", None)
    wanted = {"fixed": ("value",), "uniform": ("low", "high"), "lognormal": ("median", "sigma")}
    if not isinstance(kind, str) or kind not in wanted:
        raise PlanError(
            f"{parameter.name}: distribution is {kind!r}; it can be {', '.join(wanted)}"
        )
    most = told.pop("max", math.inf)
    if set(told) != set(wanted[kind]):
        raise PlanError(
            f"{parameter.name}: {kind} takes {', '.join(wanted[kind])} and max, "
            f"this has {', '.join(told) or 'nothing'}"
        )
    number = {name: _seconds(parameter, name, it) for name, it in (told | {"max": most}).items()}
    if kind == "lognormal":
        return Distribution(median=number["median"], sigma=number["sigma"], most=number["max"])
    low, high = (number["value"],) * 2 if kind == "fixed" else (number["low"], number["high"])
    if not low <= high < math.inf:
        raise PlanError(f"{parameter.name}: from {low!r} to {high!r} is no range")
    return Range(min(low, number["max"]), min(high, number["max"]))


def _seconds(parameter: Parameter, name: str, value: object) -> float:
    number = seconds_of(value)
    if number is None or not number >= 0:
        raise PlanError(f"{parameter.name}: {name} is {value!r}; it can be a number from 0")
    return number


def drawn(value: object, parameter: Parameter, *place: str | int) -> str | float | bool:
    """The plain value that *value* comes to at *place*.

    Raises:
        PlanError: What is drawn is no value of *parameter*.
    """
    if isinstance(value, Range | Distribution):
        return parameter.read(
            value.at(draw(*place, parameter.name), whole=type(parameter.default) is int)
        )
    return parameter.read(value)
