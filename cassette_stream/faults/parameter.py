"""What a fault takes beside its place: numbers, durations, words; and their text.

Plans give values of YAML, command lines give text; both become the same values here, and
what is out of range is refused before anything is broken with it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from cassette_stream.exceptions import PlanError

__all__ = ("Parameter", "check_parameters", "quoted", "seconds_of", "shown", "unquoted")

_DURATION = re.compile(r"([0-9.eE+-]+|inf) ?(ms|s|min|h)?")
_UNITS = {None: 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One thing that a fault takes; the type of *default* is the type of its values.

    Attributes:
        name: Its name, in Python, in plans and on the command line.
        default: What it is if not given.
        description: One line.
        unit: What a number counts; ``seconds`` may be written as ``900ms`` or ``5min``.
        low: A number is at least this much.
        high: And at most this much.
        above: It is more than *low*, and not just at least.
        choices: The words that there are; any text if none are named.
    """

    name: str
    default: str | float | bool
    description: str
    unit: str = ""
    low: float = 0
    high: float = math.inf
    above: bool = False
    choices: tuple[str, ...] = ()

    def read(self, value: object) -> str | float | bool:
        """The value that *value*, of a plan or in text, stands for.

        Raises:
            PlanError: It is of another type, or out of range.
        """
        if isinstance(self.default, bool):
            return self._flag(value)
        if isinstance(self.default, str):
            return self._word(value)
        return self._number(value)

    def accepted(self) -> str:
        """What it takes, in words."""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return ", ".join(self.choices) if self.choices else "a text"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        least = f"above {self.low:g}" if self.above else f"from {self.low:g}"
        most = "" if self.high == math.inf else f" to {self.high:g}"
        return f"{kind}{' of ' if self.unit else ''}{self.unit}, {least}{most}"

    def _flag(self, value: object) -> bool:
        known = {"true": True, "false": False}
        found = known.get(str(value).lower())
        if found is None:
            raise self._unlike(value)
        return found

    def _word(self, value: object) -> str:
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise self._unlike(value)
        word = shown(value)
        if self.choices and word not in self.choices:
            near = get_close_matches(word, self.choices, 1)
            raise self._unlike(value, f"; nearest: {near[0]}" if near else "")
        return word

    def _number(self, value: object) -> float:
        number = seconds_of(value) if self.unit == "seconds" else _number_of(value)
        if number is None or number != number:  # noqa: PLR0124 - NaN
            raise self._unlike(value)
        if number < self.low or number > self.high or (self.above and number == self.low):
            raise self._unlike(value)
        if not isinstance(self.default, int):
            return number
        if not number.is_integer():
            raise self._unlike(value)
        return int(number)

    def _unlike(self, value: object, hint: str = "") -> PlanError:
        return PlanError(f"{self.name} is {value!r}; it can be {self.accepted()}{hint}")


def check_parameters(fault: object, parameters: Iterable[Parameter]) -> None:
    """Give the *parameters* of a frozen *fault* the values that they were given as.

    Raises:
        PlanError: One is of another type, or out of range.
    """
    for parameter in parameters:
        value = parameter.read(getattr(fault, parameter.name))
        object.__setattr__(fault, parameter.name, value)


def seconds_of(value: object) -> float | None:
    """The seconds that a number, or a text such as ``900ms``, stands for; None if none."""
    if not isinstance(value, str):
        return _number_of(value)
    match = _DURATION.fullmatch(value.strip())
    number = _number_of(match[1]) if match else None
    return None if number is None or match is None else number * _UNITS[match[2]]


def shown(value: str | float | bool) -> str:
    """The text of a value of a parameter, as `Parameter.read` takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value!r}"


def quoted(text: str) -> str:
    """*text* as a value on one line: as it is, or as a JSON string where that would be misread."""
    is_plain = text.isprintable() and text == text.strip() and not {",", '"'} & {*text}
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def unquoted(text: str) -> str:
    """The text of which `quoted` makes *text*."""
    if not text.startswith('"'):
        return text
    try:
        told = json.loads(text)
    except ValueError:
        return text  # a quote and no string: it stands for itself
    return told if isinstance(told, str) else text


def _number_of(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
