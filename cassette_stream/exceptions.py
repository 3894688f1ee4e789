"""Every exception that this package raises: the toolkit's tree and the client's.

The toolkit, which records and replays::

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
    ├── SweepError
    ├── UnguardedConnectionError
    ├── UnfiredRuleWarning (UserWarning)
    ├── UnplayedWarning (UserWarning)
    ├── JournalWarning (UserWarning)
    └── IncompleteRecordingWarning (UserWarning)

The client, which speaks to a model::

    Exception
    └── APIError
        ├── APIConnectionError
        │   ├── Timeout
        │   └── StreamTruncatedError
        ├── APIResponseValidationError
        │   ├── MalformedStreamError
        │   ├── EmptyStreamError
        │   └── StreamProtocolError
        └── APIStatusError
            ├── BadRequestError
            │   ├── ContextWindowExceededError
            │   ├── ContentPolicyViolationError
            │   ├── UnsupportedParamsError
            │   └── UnprocessableEntityError
            ├── AuthenticationError
            ├── PermissionDeniedError
            ├── NotFoundError
            ├── ConflictError
            ├── PaymentRequiredError
            ├── RequestTooLargeError
            ├── RateLimitError
            └── InternalServerError
                ├── BadGatewayError
                ├── ServiceUnavailableError
                └── OverloadedError

Bad arguments are `ValueError` or `TypeError` at the call, before anything happens.
What a replay plays back, such as a read timeout, is raised as the exception of the
caller's own HTTP library and stands in no tree of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = (
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "APIStatusError",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "CassetteError",
    "CassetteFormatError",
    "CassetteLockError",
    "CassetteMissError",
    "CassetteNotFoundError",
    "CassetteVersionError",
    "CassetteWriteError",
    "ConflictError",
    "ContentPolicyViolationError",
    "ContextWindowExceededError",
    "EmptyStreamError",
    "HangError",
    "IncompleteRecordingWarning",
    "InternalServerError",
    "JournalWarning",
    "MalformedStreamError",
    "NotFoundError",
    "OverloadedError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "PlanError",
    "RateLimitError",
    "RecordingEndedError",
    "RequestTooLargeError",
    "SecretError",
    "ServiceUnavailableError",
    "SessionError",
    "StreamProtocolError",
    "StreamTruncatedError",
    "SweepError",
    "Timeout",
    "UnfiredRuleError",
    "UnfiredRuleWarning",
    "UnguardedConnectionError",
    "UnknownFaultError",
    "UnplayedError",
    "UnplayedWarning",
    "UnprocessableEntityError",
    "UnsupportedParamsError",
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


class UnfiredRuleWarning(UserWarning):
    """The same, where the plan says that it is no error."""


class UnplayedWarning(UserWarning):
    """Interactions were not played, in a test that need not play them all."""


class JournalWarning(UserWarning):
    """What was recorded could not be taken down at once; nothing is lost, as all went well."""


class IncompleteRecordingWarning(UserWarning):
    """A recording that broke off was not written over one that is complete."""


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
    """The replayed stream is silent for ever, and the caller set no timeout for that."""


class SweepError(Exception):
    """A sweep could not go on; what it found so far is kept."""


class UnguardedConnectionError(Exception):
    """A connection that no cassette sees was about to leave while one is active."""


class APIError(Exception):
    """Something went wrong between the client and the model.

    Attributes:
        message: The provider's own text, or ours where it said nothing.
        status_code: The HTTP status, or the one that an error within a stream stands for;
            None where there is none.
        code: The provider's code, such as ``context_length_exceeded``.
        type: The provider's type, such as ``overloaded_error``.
        param: The parameter that it blames.
        body: What it sent, decoded where it was JSON.
        llm_provider: Whose model it is.
        model: Which one.
        request_id: The provider's name for the request.
        response_headers: The response's headers, lower-case.
        retry_after: For how many seconds it asks to be left alone.
        num_retries: How often the request was tried again.
        max_retries: How often it would have been.
        mid_stream: Whether it came while a stream was read.
        chunks_yielded: How many chunks the caller had got by then.
        generated_content: Their text.
        partial: The response so far, as if the stream had ended there.
        is_pre_first_chunk: Whether it came before any of them.
        litellm_debug_info: Always None; ported code asks for it.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | int | None = None,
        type: str | None = None,  # noqa: A002 - the field's own word
        param: str | None = None,
        body: object = None,
        llm_provider: str | None = None,
        model: str | None = None,
        request_id: str | None = None,
        response_headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.code = code
        self.type = type
        self.param = param
        self.body = body
        self.llm_provider = llm_provider
        self.model = model
        self.request_id = request_id
        self.response_headers = dict(response_headers or {})
        self.retry_after = retry_after
        self.num_retries: int | None = None
        self.max_retries: int | None = None
        self.mid_stream = False
        self.chunks_yielded = 0
        self.generated_content = ""
        self.partial: Any = None
        self.is_pre_first_chunk = True
        self.litellm_debug_info: str | None = None


class APIConnectionError(APIError):
    """The connection could not be made, or broke."""


class Timeout(APIConnectionError):  # noqa: N818 - the name that ported code catches
    """Nothing came for too long. *phase* says while waiting for what.

    It is one of ``connect``, ``headers``, ``first_chunk``, ``idle`` and ``total``.
    """

    def __init__(self, message: str, *, phase: str = "idle", **details: Any) -> None:
        super().__init__(message, **details)
        self.phase = phase


class StreamTruncatedError(APIConnectionError):
    """The stream ended before the model came to its end."""


class APIResponseValidationError(APIError):
    """What came is not what the provider's format says."""


class MalformedStreamError(APIResponseValidationError):
    """The stream holds bytes, JSON or types that cannot be read."""


class EmptyStreamError(APIResponseValidationError):
    """The stream was whole, and held no event at all."""


class StreamProtocolError(APIResponseValidationError):
    """Events came that the format does not allow at that place."""


class APIStatusError(APIError):
    """The provider refused, by an HTTP status or by an error within the stream."""


class BadRequestError(APIStatusError):
    """The request is wrong (400)."""


class ContextWindowExceededError(BadRequestError):
    """The messages are longer than the model can take."""


class ContentPolicyViolationError(BadRequestError):
    """The provider does not want to answer that."""


class UnsupportedParamsError(BadRequestError):
    """The provider has no such parameter."""


class UnprocessableEntityError(BadRequestError):
    """The request is well-formed and still wrong (422)."""


class AuthenticationError(APIStatusError):
    """The key is missing or wrong (401)."""


class PermissionDeniedError(APIStatusError):
    """The key may not do that (403)."""


class NotFoundError(APIStatusError):
    """There is no such model or address (404)."""


class ConflictError(APIStatusError):
    """The request conflicts with another (409)."""


class PaymentRequiredError(APIStatusError):
    """The account has no credit (402)."""


class RequestTooLargeError(APIStatusError):
    """The request is too large (413)."""


class RateLimitError(APIStatusError):
    """Too many requests, or too many tokens (429)."""


class InternalServerError(APIStatusError):
    """The provider failed (500 and above)."""


class BadGatewayError(InternalServerError):
    """Something between the client and the model failed (502)."""


class ServiceUnavailableError(InternalServerError):
    """The provider is not there (503)."""


class OverloadedError(InternalServerError):
    """The provider has too much to do (529)."""
