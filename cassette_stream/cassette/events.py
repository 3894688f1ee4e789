"""The YAML events of one document, checked as they come.

Nothing is built before it is checked, and nothing recurses below a depth that was
checked: no tags, no anchors, no aliases, no merge keys, no key twice, a limit on depth
and on number. Whatever is wrong is a `CassetteFormatError` that says where.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final, Protocol, TypeAlias

import msgspec
import yaml

from cassette_stream.exceptions import CassetteFormatError

__all__ = ("LIBYAML", "LIMITS", "PURE", "Events", "Limits", "Mark", "Origin", "Source", "nearest")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one document may take: *depth* of lists and maps, *nodes* in all, *size* in bytes.

    A single text may have as many characters as *scalar* says.
    """

    depth: int = 64
    nodes: int = 1_000_000
    size: int = 1 << 30
    scalar: int = 1 << 29


LIMITS: Final = Limits()


class Mark(Protocol):
    """A place in a document; both numbers count from 0, in characters."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class _Parser(Protocol):
    def get_event(self) -> yaml.Event | None: ...


Source: TypeAlias = Callable[[str], _Parser]
"""Takes a text, gives a parser of PyYAML."""

PURE: Final[Source] = yaml.BaseLoader
# The stubs hide the bare parser, and do not know that PyYAML may come without libyaml.
LIBYAML: Final[Source] = yaml.cyaml.CParser if yaml.__with_libyaml__ else PURE  # type: ignore[attr-defined]

_KINDS: dict[type[yaml.Event], str] = {
    yaml.ScalarEvent: "text",
    yaml.SequenceStartEvent: "a list",
    yaml.MappingStartEvent: "a map",
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7})(?: |$)", re.MULTILINE)


class Origin(msgspec.Struct, frozen=True):
    """Where a document stands: at byte *start* of *data*, the content of *file*."""

    file: str
    data: bytes
    start: int

    def error(
        self,
        message: str,
        line: int,
        column: int,
        kind: type[CassetteFormatError] = CassetteFormatError,
    ) -> CassetteFormatError:
        """The error for a place in the document, *line* and *column* counted from 0."""
        # Counting lines is left until somebody wants to know: files have many documents.
        line += self.data.count(b"\n", 0, self.start) + 1
        return kind(message, file=self.file, line=line, column=column + 1)


def nearest(word: str, known: Collection[str]) -> str:
    """What there is instead of *word*, for the end of an error message."""
    from difflib import get_close_matches  # noqa: PLC0415 - only messages need it

    guess = "".join([f"did you mean '{near}'? " for near in get_close_matches(word, known, 1)])
    return f"{guess}known are {', '.join(sorted(known))}"


class Events:
    """The events of *text*, which is one document, or the beginning of one.

    Attributes:
        later: Whether it may have keys that are not known, as a later version has.
    """

    def __init__(
        self,
        text: str,
        origin: Origin,
        *,
        limits: Limits = LIMITS,
        source: Source = LIBYAML,
        later: bool = False,
    ) -> None:
        self.later = later
        self._text = text
        self._origin = origin
        self._last_line = text.count("\n") - 1
        self._max_depth = limits.depth
        self._max_nodes = limits.nodes
        self._max_scalar = limits.scalar
        self._parser = source(text)
        self._depth = 0
        self._nodes = 0
        self._event: yaml.Event = yaml.StreamStartEvent()

    @property
    def file(self) -> str:
        return self._origin.file

    @property
    def mark(self) -> Mark:
        """Where the latest event begins."""
        mark = self._event.start_mark
        assert mark is not None
        return mark

    @property
    def at_end(self) -> bool:
        """Whether the latest event begins the last line of the text."""
        return (self.mark.line, self.mark.column) == (self._last_line, 0)

    def error(
        self,
        message: str,
        at: Mark | None = None,
        kind: type[CassetteFormatError] = CassetteFormatError,
    ) -> CassetteFormatError:
        """The error for the place *at*, by default that of the latest event."""
        mark = at or self.mark
        return self._origin.error(message, mark.line, mark.column, kind)

    def open(self) -> None:
        """Pass what is before the first node."""
        self._next()
        self._next()

    def close(self) -> None:
        """Pass the end of the document; anything that follows it is an error."""
        self._next()
        self._next()

    def node(self) -> yaml.Event:
        """The event with which the next node begins, or with which a map or list ends."""
        event = self._next()
        if not isinstance(event, yaml.NodeEvent):
            self._depth -= 1
            return event
        self._nodes += 1
        if self._nodes > self._max_nodes:
            raise self.error(f"a document holds at most {self._max_nodes} values")
        if event.anchor is not None:
            raise self.error("a cassette takes no anchors (&) and no aliases (*): quote the text")
        # An alias is named like its anchor, so it got no further.
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.tag is not None:
            raise self.error("a cassette takes no tags (!): quote the text")
        if not isinstance(event, yaml.ScalarEvent):
            self._depth += 1
            if self._depth > self._max_depth:
                raise self._too_deep()
        return event

    def text(self, event: yaml.Event, name: str) -> str:
        """The text of *event*, the latest, which is the value of *name*."""
        if not isinstance(event, yaml.ScalarEvent):
            raise self.unlike(name, "text")
        value = event.value
        if not value and not event.style:
            raise self.error(f'{name!r} has no value; write "" for an empty one')
        if len(value) > self._max_scalar:
            raise self.error(f"{name!r} holds at most {self._max_scalar} characters")
        # The parser in Python lets through what libyaml refuses.
        if not value.isascii() and _SURROGATE.search(value):
            raise self.error(
                f"{name!r} holds the escape of a lone surrogate, which is no character"
            )
        return value

    def keys(
        self, name: str, known: Collection[str] = (), start: yaml.Event | None = None
    ) -> Iterator[str]:
        """The keys of the map that is the value of *name*; take the value before the next key.

        Where *known* are given there are no others, unless they are of a *later* version.
        *start* is the event with which the map begins, if it was taken.
        """
        if not isinstance(start or self.node(), yaml.MappingStartEvent):
            raise self.unlike(name, "a map")
        seen = set()
        while isinstance(event := self.node(), yaml.NodeEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self.error("a key is text, and here is " + _KINDS[type(event)])
            key = self.text(event, f"a key of {name}")
            if key == "<<" and not event.style:
                raise self.error(
                    'a cassette takes no merge keys; write "<<" for a key of that name'
                )
            if key in seen:
                raise self.error(f"{key!r} is there twice in {name}: take one of them out")
            if known and key not in known and not self.later:
                raise self.error(f"{name} has no {key!r}; {nearest(key, known)}")
            seen.add(key)
            yield key

    def items(self, name: str, start: yaml.Event | None = None) -> Iterator[yaml.Event]:
        """The first event of each item of the list that is the value of *name*."""
        if not isinstance(start or self.node(), yaml.SequenceStartEvent):
            raise self.unlike(name, "a list")
        while isinstance(event := self.node(), yaml.NodeEvent):
            yield event

    def unlike(self, name: str, wanted: str) -> CassetteFormatError:
        """The error for a value of *name* that is not the kind that is *wanted*."""
        return self.error(f"{name!r} takes {wanted}, and here is {_KINDS[type(self._event)]}")

    def _next(self) -> yaml.Event:
        try:
            event = self._parser.get_event()
        except yaml.MarkedYAMLError as error:
            raise self._malformed(error) from None
        except (ValueError, OverflowError):
            # So the parser in Python tells of an escape beyond Unicode.
            raise self.error("after this stands an escape that is no character") from None
        if event is None:
            raise self.error("here the document ends, and there is nothing in it")
        self._event = event
        return event

    def _too_deep(self, at: Mark | None = None) -> CassetteFormatError:
        return self.error(
            f"more than {self._max_depth} lists and maps in each other: what is deeper goes "
            "into a body, as text",
            at,
        )

    def _malformed(self, error: yaml.MarkedYAMLError) -> CassetteFormatError:
        if conflict := _CONFLICT.search(self._text):
            line = self._text.count("\n", 0, conflict.start())
            message = "an unresolved merge conflict: take one side of it"
            return self._origin.error(message, line, 0)
        mark = error.problem_mark
        assert mark is not None
        if error.problem and "nesting depth" in error.problem:  # a limit of libyaml's own
            return self._too_deep(mark)
        what = f"this is not YAML: {error.problem}"
        if mark.line > self._text.count("\n") - 1:
            return self.error(f"{what}; the document ends too early: was the file cut?", mark)
        if self._text.split("\n")[mark.line][mark.column : mark.column + 1] == "\t":
            return self.error(f"{what}; indent by blanks, not by tabs", mark)
        return self.error(f"{what}; is the indent right, and are special characters quoted?", mark)
