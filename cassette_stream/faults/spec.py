"""Faults as text, such as ``body.fin@event=6,inside=utf8``.

What `parse` reads, `spec_of` writes: for every fault of the catalogue
``parse(spec_of(fault)) == fault``.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from cassette_stream.exceptions import PlanError, UnknownFaultError
from cassette_stream.faults.catalogue import catalogue
from cassette_stream.faults.place import Byte, Chunk, Event, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cassette_stream.faults.info import Fault, FaultInfo, Parameter

__all__ = ("parse", "spec_of")


def parse(spec: str) -> Fault:
    """The fault that *spec* tells: ``id@name=value,name=value``.

    The names are one of ``event``, ``byte`` and ``chunk`` for the place, ``inside`` beside
    ``event``, and the parameters of the fault.

    Raises:
        UnknownFaultError: There is no such fault, or it takes no such parameter.
        PlanError: The text has another form, or a value is out of range.
    """
    name, _, rest = (part.strip() for part in spec.partition("@"))
    info = catalogue().get(name)
    if info is None:
        raise UnknownFaultError(f"no fault {name!r}; {_nearest(name, catalogue())}")
    numbers = {parameter.name: parameter for parameter in info.parameters}
    insides = ("inside",) if info.insides else ()
    values = _values(info, rest, accepted=(*info.places, *insides, *numbers))
    at = _place(info, {name: text for name, text in values.items() if name not in numbers})
    given = {name: _number(numbers[name], values[name]) for name in values.keys() & numbers}
    return info.make(at=at, **given)


def spec_of(fault: Fault) -> str:
    """The text of *fault*; what has its default value is left out.

    Raises:
        UnknownFaultError: The fault is not of the catalogue.
    """
    for info in catalogue().values():
        if type(fault) is info.make:
            break
    else:
        raise UnknownFaultError(f"{fault!r} is not in the catalogue, so it has no text")
    told: Any = fault
    items = [str(told.at)]
    for parameter in info.parameters:
        value = getattr(told, parameter.name)
        if value != parameter.default:
            items.append(f"{parameter.name}={value!r}")
    return f"{info.id}@{','.join(items)}"


def _nearest(name: str, accepted: Iterable[str]) -> str:
    names = list(accepted)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return (f"nearest: {near[0]}; " if near else "") + f"there are {', '.join(names)}"


def _values(info: FaultInfo, text: str, accepted: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in text.split(",") if text else ():
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise PlanError(f"{item!r} is not of the form name=value, in {info.id}@{text}")
        if name not in accepted:
            raise UnknownFaultError(f"{info.id} takes no {name!r}; {_nearest(name, accepted)}")
        if name in values:
            raise PlanError(f"{name} is there twice, in {info.id}@{text}")
        values[name] = value
    return values


def _place(info: FaultInfo, values: dict[str, str]) -> Place:
    inside: Any = values.pop("inside", None)
    if len(values) != 1:
        raise PlanError(
            f"{info.id} takes one place ({', '.join(info.places)}), this has {len(values)}: "
            f"write for example {info.id}@event=3"
        )
    [(name, text)] = values.items()
    if name == "event":
        known: Any = text if text in {"first", "last", "terminator"} else _whole(name, text)
        return Event(known, inside=inside)
    if inside is not None:
        raise PlanError(f"inside={inside} says where in an event, and this has a {name}")
    return Byte(_whole(name, text)) if name == "byte" else Chunk(_whole(name, text))


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        names = ", first, last or terminator" if name == "event" else ""
        raise PlanError(f"{name} is {text!r}; it can be a whole number{names}") from None


def _number(parameter: Parameter, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise PlanError(
            f"{parameter.name} is {text!r}; it can be a number of {parameter.unit}"
        ) from None
