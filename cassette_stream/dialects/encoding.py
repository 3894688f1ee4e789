"""What the encoders share: how text is cut into deltas, and in which order deltas go.

No character is lost, doubled or split: the pieces of a text always join to the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, cycle
from typing import TypeAlias, TypeVar

from cassette_stream.chunks import Choices, ModelResponse

__all__ = (
    "Cut",
    "Pieces",
    "as_cut",
    "compact",
    "json_object",
    "only_choice",
    "only_functions",
    "weave",
    "words",
)

Cut: TypeAlias = Callable[[str], Iterable[str]]
Pieces: TypeAlias = Cut | Sequence[int]
"""How text is cut: a function from a text to its pieces, or sizes in characters, taken in turn."""

T = TypeVar("T")

# Long runs are cut too, so that base64 and scripts without blanks stream as well.
_WORD = re.compile(r"\s*(?:\w{1,16}|[^\w\s]{1,16})|\s+")


def words(text: str) -> list[str]:
    """*text* cut before each word and around punctuation, much as tokens are."""
    return _WORD.findall(text)


def as_cut(pieces: Pieces) -> Cut:
    """The function that cuts by *pieces*.

    Raises:
        ValueError: There are no sizes, or one is less than 1. While iterating: what a
            function gave does not join to the text.
    """
    if not callable(pieces):
        sizes = tuple(pieces)
        if not sizes or min(sizes) < 1:
            raise ValueError(f"sizes of pieces must be 1 or more, and one at least, not {sizes}")
        return lambda text: _by_sizes(text, sizes)
    return lambda text: _checked(text, pieces)


def _by_sizes(text: str, sizes: tuple[int, ...]) -> Iterator[str]:
    start = 0
    for size in cycle(sizes):
        if start >= len(text):
            return
        yield text[start : start + size]
        start += size


def _checked(text: str, cut: Cut) -> list[str]:
    pieces = list(cut(text))
    if "".join(pieces) != text:
        raise ValueError(f"pieces must join to the text {text!r}, these do not: {pieces!r}")
    return pieces


def weave(streams: Iterable[Iterable[T]], *, interleave: bool) -> Iterator[T]:
    """The items of all *streams*: one stream after the other, or one item of each in turn."""
    if not interleave:
        yield from chain.from_iterable(streams)
        return
    waiting = [iter(stream) for stream in streams]
    while waiting:
        still = []
        for stream in waiting:
            for item in stream:
                yield item
                still.append(stream)
                break
        waiting = still


def only_choice(completion: ModelResponse, dialect: str) -> Choices:
    """The one choice of *completion*, for a *dialect* that has no others."""
    if len(completion.choices) != 1:
        raise ValueError(f"{dialect} sends one choice, not {len(completion.choices)}")
    return completion.choices[0]


def only_functions(completion: ModelResponse, dialect: str) -> None:
    """Refuse a call of a custom tool in *completion*, for a *dialect* that has functions alone."""
    for choice in completion.choices:
        for call in choice.message.tool_calls or ():
            if call.custom is not None:
                raise ValueError(
                    f"{dialect} has no custom tools, and {call.id!r} calls {call.custom.name!r}: "
                    "send it as a function"
                )


def compact(value: object) -> str:
    """*value* as JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_object(arguments: str) -> dict[str, object]:
    """The object that the *arguments* of a tool call spell; no text is no arguments.

    Raises:
        ValueError: They spell something else.
    """
    value = json.loads(arguments or "{}", parse_constant=_refuse)
    if not isinstance(value, dict):
        raise ValueError(f"arguments of a tool call must be a JSON object, not {arguments!r}")  # noqa: TRY004
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")
