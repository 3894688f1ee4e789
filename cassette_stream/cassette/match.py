"""When a live request is a recorded one, and if not, why.

Both have been redacted. What counts of each part is its view (`views`); a view is cut
down to a digest, and those of recorded requests are kept, because every live request is
held against all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeAlias

from cassette_stream.cassette.differences import clipped, differences
from cassette_stream.cassette.json_path import parse_path
from cassette_stream.cassette.model import Request
from cassette_stream.cassette.views import PARTS, Ignored, digest

__all__ = ("Live", "Matcher", "Matchers", "matchers")

Matcher: TypeAlias = Callable[[Request, Request], str | None]
"""Takes the recorded and the live request; gives None, or the difference in words."""

_LINES = 18
"""How many lines the differences of a request have together, unless it has more parts."""


def matchers(
    match_on: Sequence[str | Matcher] = ("method", "url", "body"), ignore: Sequence[str] = ()
) -> Matchers:
    """What makes a recorded request and a live one the same.

    Args:
        match_on: The parts that must agree: method, url (the whole of it, in whatever order
            the query is), scheme, host, port, path, query, headers, body (as a JSON value if
            it is one, else to the byte), or functions that take the recorded and the live
            request and give None or the difference in words.
        ignore: What must not matter: paths into JSON bodies such as ``metadata.run_id`` and
            ``messages[*].id``, and ``query:NAME`` and ``header:NAME``.

    Raises:
        ValueError: There is no part of that name, or that is no path.
        TypeError: It is neither a name nor a function.
    """
    for part in match_on:
        if isinstance(part, str):
            if part not in PARTS:
                raise ValueError(_unknown(part))
        elif not callable(part):
            raise TypeError(f"match_on takes names of parts and functions, not {part!r}")
    return Matchers(tuple(match_on), _ignored(ignore))


def _unknown(name: str) -> str:
    import difflib  # noqa: PLC0415 - costs 12 ms, and only this message needs it

    near = difflib.get_close_matches(name, PARTS, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"a request has no part {name!r}{hint} (there are: {', '.join(PARTS)})"


def _ignored(ignore: Sequence[str]) -> Ignored:
    named: dict[str, list[str]] = {"query": [], "header": [], "": []}
    for text in ignore:
        if not isinstance(text, str):
            raise TypeError(f"ignore takes paths such as 'metadata.run_id', not {text!r}")
        place, colon, name = text.partition(":")
        if colon and name and place in {"query", "header"}:
            named[place].append(name)
        else:
            named[""].append(text)
    return Ignored(
        fields=tuple(map(parse_path, named[""])),
        query=frozenset(named["query"]),
        headers=frozenset(name.lower() for name in named["header"]),
    )


class Matchers:
    """Which parts of two requests must agree; `matchers` makes one."""

    def __init__(self, match_on: tuple[str | Matcher, ...], ignored: Ignored) -> None:
        self._match_on = match_on
        self._ignored = ignored
        self._digests: dict[tuple[str, Hashable], bytes] = {}

    @property
    def are_ours(self) -> bool:
        """Whether no function of somebody else's has a say."""
        return all(isinstance(part, str) for part in self._match_on)

    def against(self, live: Request) -> Live:
        """The *live* request, to be held against recorded ones."""
        return Live(live, self._match_on, self._ignored, self._digests)


class Live:
    """A live request, of which each part is looked at once."""

    def __init__(
        self,
        request: Request,
        match_on: tuple[str | Matcher, ...],
        ignored: Ignored,
        digests: dict[tuple[str, Hashable], bytes],
    ) -> None:
        self._request = request
        self._match_on = match_on
        self._ignored = ignored
        self._recorded_digests = digests
        self._sources = {
            name: PARTS[name].source(request) for name in match_on if isinstance(name, str)
        }
        self._digests: dict[str, bytes] = {}

    def agrees(self, recorded: Request) -> bool:
        """Whether all parts agree."""
        return all(self._agrees(part, recorded) for part in self._match_on)

    def differences(self, recorded: Request) -> tuple[str, ...]:
        """In what they differ: a text of one or more lines for each part that does not agree."""
        apart = [part for part in self._match_on if not self._agrees(part, recorded)]
        limit = max(2, _LINES // max(1, len(apart)))
        return tuple("\n".join(clipped(self._words(part, recorded), limit)) for part in apart)

    def nearest(self, recorded: Iterable[Request]) -> tuple[int, tuple[str, ...]]:
        """Which of the *recorded*, by number from 0, is most like it, and in what they differ.

        That is the one of which the most parts agree; of several, the one that differs in
        the fewest lines; of those, the first.

        Raises:
            ValueError: Nothing was recorded.
        """
        requests = list(recorded)
        if not requests:
            raise ValueError("nothing was recorded, so nothing is nearest")
        agree = [sum(self._agrees(part, each) for part in self._match_on) for each in requests]
        best = [number for number, parts in enumerate(agree) if parts == max(agree)]
        number = best[0]
        if len(best) > 1:
            number = min(best, key=lambda number: self._distance(requests[number]))
        return number, self.differences(requests[number])

    def _agrees(self, part: str | Matcher, recorded: Request) -> bool:
        if not isinstance(part, str):
            return self._asked(part, recorded) is None
        source = PARTS[part].source(recorded)
        if source == self._sources[part]:
            return True
        key = (part, source)
        kept = self._recorded_digests.get(key)
        if kept is None:
            kept = digest(PARTS[part].view(source, self._ignored))
            self._recorded_digests[key] = kept
        if part not in self._digests:
            self._digests[part] = digest(PARTS[part].view(self._sources[part], self._ignored))
        return kept == self._digests[part]

    def _distance(self, recorded: Request) -> int:
        return sum(
            sum(1 for _ in self._words(part, recorded))
            for part in self._match_on
            if not self._agrees(part, recorded)
        )

    def _words(self, part: str | Matcher, recorded: Request) -> list[str]:
        if not isinstance(part, str):
            return (self._asked(part, recorded) or f"{part!r} does not say how").splitlines()
        source, view = PARTS[part].source, PARTS[part].view
        left = view(source(recorded), self._ignored)
        right = view(self._sources[part], self._ignored)
        return list(differences(left, right, label=part))

    def _asked(self, matcher: Matcher, recorded: Request) -> str | None:
        words = matcher(recorded, self._request)
        if words is not None and not isinstance(words, str):
            raise TypeError(
                f"a matcher gives None or the difference in words; {matcher!r} gave {words!r}"
            )
        return words
