"""Chance without luck: every draw is a hash of what it is for.

No state, no order, no global generator: the same seed and the same place give the same
draw in every process, on every thread, in any order of tests.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from hashlib import blake2b
from statistics import NormalDist

from cassette_stream.exceptions import PlanError
from cassette_stream.faults.parameter import Parameter, seconds_of

__all__ = ("Distribution", "Range", "draw", "drawn", "random_of")

_BITS = 53
_FARTHEST = 700.0
"""What `math.exp` takes, and it is far enough."""


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
        return min(self.high, self.low + chance * (self.high - self.low))

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
        far = math.exp(min(_FARTHEST, self.sigma * deviate))
        seconds = min(self.most, sys.float_info.max, self.median * far)
        return round(seconds) if whole else seconds


def random_of(value: object, parameter: Parameter) -> Range | Distribution | None:
    """The random value that *value*, of a plan or in text, stands for; None if it is a plain one.

    Whatever is drawn of it later is a value that *parameter* takes.

    Raises:
        PlanError: It is a random value that is out of range, or a distribution that there is not.
    """
    random = _told(value, parameter)
    if random is None:
        return None
    if isinstance(parameter.default, str | bool):
        raise PlanError(f"{parameter.name} is {value!r}; it can be {parameter.accepted()}")
    if isinstance(random, Range):
        return _checked(random, value, parameter)
    numbers = (random.median, random.sigma, random.most)
    if any(isinstance(it, bool) or not isinstance(it, int | float) for it in numbers) or not (
        0 < random.median < math.inf and 0 <= random.sigma < math.inf
    ):
        raise PlanError(f"{parameter.name} is {value!r}; the median is above 0, and sigma from 0")
    parameter.read(min(random.median, random.most))
    return random


def _told(value: object, parameter: Parameter) -> Range | Distribution | None:
    if isinstance(value, Range | Distribution):
        return value
    if isinstance(value, dict):
        return _distribution(value, parameter)
    if isinstance(value, str) and ".." in value and not isinstance(parameter.default, str):
        low, high = (parameter.read(part.strip()) for part in value.split("..", 1))
        return Range(float(low), float(high))
    return None


def _checked(random: Range, value: object, parameter: Parameter) -> Range:
    low, high = parameter.read(random.low), parameter.read(random.high)
    assert not isinstance(low, str)
    assert not isinstance(high, str)
    if not low <= high < math.inf:
        raise PlanError(f"{parameter.name} is {value!r}; a range goes up, and has an end")
    return Range(low, high)


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
            f"this has {', '.join(map(str, told)) or 'nothing'}"
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
    if not isinstance(value, Range | Distribution):
        return parameter.read(value)
    number = value.at(draw(*place, parameter.name), whole=type(parameter.default) is int)
    # A distribution has no ends of its own, a parameter may.
    least = math.nextafter(parameter.low, math.inf) if parameter.above else parameter.low
    return parameter.read(min(parameter.high, max(least, number)))
