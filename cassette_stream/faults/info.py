"""What a fault is, and what the catalogue says of one.

A fault is any callable that takes a script and gives the script to perform instead.
Ours are frozen values that wait for nothing, send nothing and raise nothing, so a fault
can be printed, compared, shipped to another process, and tested by listing its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cassette_stream.script import Script

__all__ = ("Expect", "Fault", "FaultInfo", "Parameter")

Fault: TypeAlias = Callable[[Script], Script]

Expect: TypeAlias = Literal["raises", "tolerates", "either"]
"""What a correct client does: tell its user, give the full answer, or one of both by choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number that a fault takes: more than *low*, at most *high*, in *unit*."""

    name: str
    unit: str
    low: float
    high: float
    default: float
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInfo:
    """One row of the catalogue.

    *transport* is what an HTTP client sees, and *reference* a public thread in which it
    happened. *places* names the locators that the fault takes (``event``, ``byte``,
    ``chunk``) and *insides* what it can be inside of within an event; *make* is called
    with ``at=`` and the *parameters* by name.
    """

    id: str
    name: str
    expect: Expect
    transport: str
    description: str
    reference: str
    places: tuple[str, ...]
    insides: tuple[str, ...]
    make: Callable[..., Fault]
    parameters: tuple[Parameter, ...] = ()
    kind: Literal["script"] = "script"

    @property
    def layer(self) -> str:
        """The part of a response that it breaks, and the module that holds it."""
        return self.id.partition(".")[0]
