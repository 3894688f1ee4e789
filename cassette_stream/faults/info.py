"""What a fault is, and what the catalogue says of one.

A fault is any callable that takes a script and gives the script to perform instead.
Ours are frozen values that wait for nothing, send nothing and raise nothing, so a fault
can be printed, compared, shipped to another process, and tested by listing its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cassette_stream.faults.dialect import Dialect
from cassette_stream.faults.framing import Framing
from cassette_stream.faults.parameter import Parameter
from cassette_stream.script import Script

__all__ = ("LAYERS", "Expect", "Fault", "FaultInfo", "Kind")

Fault: TypeAlias = Callable[[Script], Script]
"""One that leads the caller to where no recording is has *follow_ups*, which map the paths
there to the steps of the answer."""

Expect: TypeAlias = Literal["raises", "tolerates", "either", "undetectable"]
"""What a correct client does: tell its user; give the full answer; one of both, by choice;
or nothing, where the bytes do not show that anything is missing."""

Kind: TypeAlias = Literal["script", "exchange", "probe"]
"""A *script* fault rewrites the steps of one response, an *exchange* fault stands in for
the connection or the whole response, a *probe* is a way to run the code under test."""

LAYERS = ("connect", "head", "body", "sse", "json", "sem", "end")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultInfo:
    """One row of the catalogue.

    Attributes:
        id: Its stable name, layer first.
        name: What the field calls it.
        expect: What a correct client does.
        expects: The same where a dialect makes a difference.
        transport: What an HTTP client sees.
        description: One line.
        reference: A public thread in which it happened, or how else it is known.
        make: Called with ``at=`` and the *parameters* by name, gives the fault; None for probes.
        places: The locators that it takes (``event``, ``byte``, ``chunk``, ...); none where it
            is not at a place.
        insides: What it can be inside of, within an event.
        parameters: What else it takes.
        dialects: The dialects that have the notion; None where every stream has.
        framings: What the events stand in where there is the notion; None where it is anywhere.
        common: One of the twenty that are reported most.
        kind: Which kind.
    """

    id: str
    name: str
    expect: Expect
    transport: str
    description: str
    reference: str
    make: Callable[..., Fault] | None = None
    places: tuple[str, ...] = ()
    insides: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    dialects: frozenset[Dialect] | None = None
    framings: frozenset[Framing] | None = None
    expects: Mapping[Dialect, Expect] = field(default_factory=dict)
    common: bool = False
    kind: Kind = "script"

    @property
    def layer(self) -> str:
        """The part of a response that it breaks, and the module that holds it."""
        return self.id.partition(".")[0]

    def expected(self, dialect: Dialect | None) -> Expect:
        """What a correct client of *dialect* does."""
        return self.expect if dialect is None else self.expects.get(dialect, self.expect)

    def has(self, dialect: Dialect | None, framing: Framing | None = None) -> bool:
        """Whether a stream of *dialect* can be broken like this, in its *framing* if given."""
        is_framed = framing is None or self.framings is None or framing in self.framings
        return is_framed and (self.dialects is None or dialect in self.dialects)
