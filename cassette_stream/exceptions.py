"""Every exception that this package raises, in one tree.

::

    Exception
    ├── CassetteError
    │   ├── CassetteNotFoundError
    │   ├── CassetteFormatError
    │   │   └── CassetteVersionError
    │   ├── CassetteMissError
    │   ├── UnplayedError
    │   ├── CassetteWriteError
    │   ├── CassetteLockError
    │   ├── SecretError
    │   ├── RecordingEndedError
    │   └── SessionError
    ├── PlanError (ValueError)
    │   ├── UnknownFaultError
    │   └── UnfiredRuleError
    ├── WireFormatError (ValueError)
    ├── HangError
    └── UnguardedConnectionError

Bad arguments are `ValueError` or `TypeError` at the call, before anything happens.
What a replay plays back, such as a read timeout, is raised as the exception of the
caller's own HTTP library and stands in no tree of ours.
"""

from __future__ import annotations

__all__ = (
    "CassetteError",
    "CassetteFormatError",
    "CassetteLockError",
    "CassetteMissError",
    "CassetteNotFoundError",
    "CassetteVersionError",
    "CassetteWriteError",
    "HangError",
    "PlanError",
    "RecordingEndedError",
    "SecretError",
    "SessionError",
    "UnfiredRuleError",
    "UnguardedConnectionError",
    "UnknownFaultError",
    "UnplayedError",
    "WireFormatError",
)


class CassetteError(Exception):
    """Something about a cassette stands in the way."""


class CassetteNotFoundError(CassetteError):
    """There is no such file, and the mode does not allow to record one."""


class CassetteFormatError(CassetteError):
    """The file is no cassette as the format page describes it.

    *file*, *line* and *column* (both counted from 1) say where; the text begins with
    ``file:line:column:``, as compilers print it.
    """

    def __init__(self, message: str, *, file: str, line: int, column: int) -> None:
        super().__init__(message, file, line, column)
        self.message = message
        self.file = file
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return _format_error, (type(self), self.message, self.file, self.line, self.column)


def _format_error(
    kind: type[CassetteFormatError], message: str, file: str, line: int, column: int
) -> CassetteFormatError:
    return kind(message, file=file, line=line, column=column)


class CassetteVersionError(CassetteFormatError):
    """The file is a cassette of a version that this package does not read."""


class CassetteMissError(CassetteError):
    """A request matches nothing that is left to play."""


class UnplayedError(CassetteError):
    """A recorded interaction was never played."""


class CassetteWriteError(CassetteError):
    """The cassette could not be written; what was there before is untouched."""


class CassetteLockError(CassetteError):
    """The lock beside the cassette could not be taken."""


class SecretError(CassetteError):
    """What was about to be written still holds something that looks like a secret."""


class RecordingEndedError(CassetteError):
    """The caller reads past the byte at which the recorded caller stopped."""


class SessionError(CassetteError):
    """It cannot be told which open session answers a request, or the session is not open."""


class PlanError(ValueError):
    """A fault plan does not make sense."""


class UnknownFaultError(PlanError):
    """No fault has that id or takes that parameter."""


class UnfiredRuleError(PlanError):
    """A fault was asked for and never struck."""


class WireFormatError(ValueError):
    """The bytes of a stream break the rules of their wire format.

    *offset* is the byte at which they do, counted from the start of the stream.
    """

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(message, offset)
        self.message = message
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.message} (byte {self.offset})"

    def __reduce__(self) -> tuple[object, ...]:
        return _wire_error, (type(self), self.message, self.offset)


def _wire_error(kind: type[WireFormatError], message: str, offset: int) -> WireFormatError:
    return kind(message, offset=offset)


class HangError(Exception):
    """The replayed stream is silent for ever, and the caller set no read timeout."""


class UnguardedConnectionError(Exception):
    """A connection that no cassette sees was about to leave while one is active."""
