"""Messages folded into turns, for dialects in which two turns of one role never follow each other.

What a role's messages become, and in whose turn they stand, a dialect says; that what follows
in the same turn is joined, and what says nothing makes no turn, is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from cassette_stream.dialects.messages import Json

__all__ = ("Speaker", "turns")

Speaker: TypeAlias = tuple[str, Callable[[Json], Iterable[Json]]]
"""The role of a turn, and what a message becomes there."""

_APART: Final = "system, developer"


def turns(
    messages: Iterable[Json], speakers: Mapping[str, Speaker], *, field: str, dialect: str
) -> list[Json]:
    """The turns that *messages* make.

    Args:
        messages: All but the instructions.
        speakers: By the role of a message.
        field: The name of what a turn holds.
        dialect: Its name, for the error.

    Raises:
        ValueError: A message has a role that there is not.
    """
    made: list[dict[str, Any]] = []
    for message in messages:
        given = message.get("role")
        if not isinstance(given, str) or given not in speakers:
            *others, last = speakers
            raise ValueError(
                f"{dialect} has no messages of role {given!r}; "
                f"it takes {', '.join((_APART, *others))} and {last}"
            )
        role, read = speakers[given]
        said = list(read(message))
        if made and made[-1]["role"] == role:
            made[-1][field] += said
        elif said:
            made.append({"role": role, field: said})
    return list(made)
