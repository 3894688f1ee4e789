"""What the code under test did with a broken stream, and whether that is good enough.

A verdict says what happened and is the same whoever asks; the catalogue, or the user,
says of each fault which verdicts are good. Nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from cassette_stream.chaos.answers import Answer, answer_of, tells_finish
from cassette_stream.faults import Expect

__all__ = ("Flag", "Outcome", "Verdict", "is_good", "judge")


_GOOD_ENDS = frozenset({"function_call", "stop", "tool_calls"})
"""The finish reasons after which nobody looks twice."""


class Verdict(StrEnum):
    """What the code under test did."""

    OK = "ok"
    """It gave the result of the clean run."""
    RAISED = "raised"
    """It told its user: by an exception that he is told to expect, or, beside what there is of
    the answer, by a finish reason that is no good one."""
    SILENT = "silent"
    """It returned, but something is lost, doubled or made up."""
    WRONG_ERROR = "wrong_error"
    """An exception of somebody else leaked out."""
    HANG = "hang"
    """It waited without a deadline."""


class Flag(StrEnum):
    """What else is bad about it."""

    MADE_UP_FINISH = "made_up_finish"
    """The result has a finish reason that no stream told."""
    DUPLICATED = "duplicated"
    """The result says something twice that the clean one says once."""
    INCOMPLETE_TOOL_CALL = "incomplete_tool_call"
    """The result has a tool call whose arguments are not whole."""
    LEAKED = "leaked"
    """A response was left open, or a task running."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one run.

    Attributes:
        result: What was returned, where nothing was raised.
        error: What was raised.
        hung: It waited without a deadline, whatever became of that.
        left_open: What was left: responses that nobody closed, tasks that still run.
        bodies: The bodies of the replies, as far as they were asked for; none where they are
            compressed, and so tell nothing here.
    """

    result: object = None
    error: BaseException | None = None
    hung: bool = False
    left_open: tuple[str, ...] = ()
    bodies: tuple[bytes, ...] = ()


def judge(
    outcome: Outcome,
    clean: Outcome,
    families: tuple[type[BaseException], ...],
    key: Callable[[object], object] | None = None,
) -> tuple[Verdict, tuple[Flag, ...]]:
    """The verdict on *outcome*, and its flags.

    Args:
        outcome: What came of the broken run.
        clean: What came of the clean run.
        families: The exceptions that the users of the code are told to expect.
        key: What of a result counts; by default all of it, or, of the types that
            `answer_of` knows, what the answer says.
    """
    flags = (Flag.LEAKED,) if outcome.left_open else ()
    if outcome.hung:
        return Verdict.HANG, flags
    if outcome.error is not None:
        expected = isinstance(_cause(outcome.error), families)
        return (Verdict.RAISED if expected else Verdict.WRONG_ERROR), flags
    found = _flags(outcome, clean)
    # Who makes up a finish says what the clean run says, and says it of any other stream.
    if Flag.MADE_UP_FINISH not in found and _same(outcome.result, clean.result, key):
        return Verdict.OK, flags
    if key is None and _says_that_it_is_not_whole(outcome, clean.result):
        return Verdict.RAISED, flags
    return Verdict.SILENT, (*found, *flags)


def is_good(verdict: Verdict, flags: tuple[Flag, ...], expect: Expect) -> bool:
    """Whether a correct client may do this; the full answer is always welcome."""
    if Flag.LEAKED in flags:
        return False
    good = {
        "raises": {Verdict.OK, Verdict.RAISED},
        "tolerates": {Verdict.OK},
        "either": {Verdict.OK, Verdict.RAISED},
        "undetectable": {Verdict.OK, Verdict.RAISED, Verdict.SILENT},
    }
    return verdict in good[expect]


def _cause(error: BaseException) -> BaseException:
    """What a task group wrapped, if it is a single thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _same(result: object, clean: object, key: Callable[[object], object] | None) -> bool:
    if key is not None:
        return bool(key(result) == key(clean))
    if bool(result == clean):
        return True
    mine, other = answer_of(result), answer_of(clean)
    return mine is not None and other is not None and mine.says_the_same(other)


def _says_that_it_is_not_whole(outcome: Outcome, clean: object) -> bool:
    """Whether the result has a finish reason that is no good one, and nothing in it is wrong."""
    mine, other = answer_of(outcome.result), answer_of(clean)
    return (
        mine is not None
        and other is not None
        and mine.finish_reason is not None
        and mine.finish_reason not in _GOOD_ENDS
        and other.text.startswith(mine.text)
        and mine.calls == other.calls[: len(mine.calls)]
        and any(map(tells_finish, outcome.bodies))
    )


def _flags(outcome: Outcome, clean: Outcome) -> tuple[Flag, ...]:
    mine, other = answer_of(outcome.result), answer_of(clean.result)
    if mine is None or other is None:
        return ()
    flags = []
    if mine.finish_reason is not None and _tell(clean.bodies) and not _tell(outcome.bodies):
        flags.append(Flag.MADE_UP_FINISH)
    if _says_twice(mine, other):
        flags.append(Flag.DUPLICATED)
    if not all(call.is_whole for call in mine.calls):
        flags.append(Flag.INCOMPLETE_TOOL_CALL)
    return tuple(flags)


def _tell(bodies: tuple[bytes, ...]) -> bool:
    """Whether one of *bodies* tells a finish reason, or none can be read."""
    return not bodies or any(map(tells_finish, bodies))


def _says_twice(mine: Answer, clean: Answer) -> bool:
    """Whether *mine* says a part of *clean* again, from the beginning or right behind it."""
    if len(mine.calls) > len(clean.calls) and mine.calls[: len(clean.calls)] == clean.calls:
        return True
    text, whole = mine.text, clean.text
    pairs = enumerate(zip(text, whole, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(text), len(whole)))
    if same == len(text):
        return False  # it says less, or the same
    more = len(text) - len(whole)
    if 0 < more <= same and text[same:] == whole[same - more :]:
        return True
    return any(_begins_again(text, at, whole) for at in range(max(1, more), same + 1))


def _begins_again(text: str, at: int, whole: str) -> bool:
    # Few letters tell most, without a copy of the rest.
    return text.startswith(whole[: min(32, len(text) - at)], at) and whole.startswith(text[at:])
