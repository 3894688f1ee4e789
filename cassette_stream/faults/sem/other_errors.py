"""Errors within a stream that do not look like the dialect's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cassette_stream.dialects.aws_frames import error_frame
from cassette_stream.faults.edit import Seen
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.place import EVENT_PLACES, EventPlace, check_event
from cassette_stream.faults.sem.errors import MESSAGE, OVERLOADED, THEN, struck
from cassette_stream.faults.sem.words import CHAT_HEAD, Json, dialects, written

if TYPE_CHECKING:
    from cassette_stream.script import Script

__all__ = ("FAULTS", "ErrorDetail", "ErrorString", "ErrorWithChoices")

_NO_REST = Parameter(
    name="then",
    default="end",
    choices=("end", "done"),
    description="What follows: nothing, or the event that says that nothing more comes.",
)
_WITH_CHOICES = (
    Parameter(
        name="quirk",
        default="finish_reason",
        choices=("finish_reason", "empty_choices", "native_finish_reason"),
        description="Beside the error there is a choice that ended with one, or none; "
        "or there is no error, and only the native reason of the choice says so.",
    ),
    MESSAGE,
    THEN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorWithChoices:
    """As `ErrorEvent`, in a chunk that looks like the others: so OpenRouter reports one."""

    at: EventPlace
    quirk: str = "finish_reason"
    message: str = OVERLOADED
    then: str = "end"

    def __post_init__(self) -> None:
        check_event(self.at, named_only=False)
        check_parameters(self, _WITH_CHOICES)

    def __call__(self, script: Script) -> Script:
        return struck(script, self.at, self.then, self._error)

    def _error(self, seen: Seen) -> bytes | None:
        if seen.dialect != "openai_chat":
            return None
        known = seen.value if isinstance(seen.value, dict) else {}
        chunk: Json = {name: known[name] for name in CHAT_HEAD if name in known}
        native = self.quirk == "native_finish_reason"
        choice = {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "finish_reason": None if native else "error",
            "native_finish_reason": "error",
        }
        chunk["choices"] = [] if self.quirk == "empty_choices" else [choice]
        if not native:
            chunk["error"] = {"code": 502, "message": self.message}
        return written(seen, chunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorString:
    """As `ErrorEvent`, with a text where the error belongs: so Ollama and LM Studio do.

    In frames it is one of the kind ``error``, which has no more than a text.
    """

    at: EventPlace
    message: str = OVERLOADED
    then: str = "end"

    def __post_init__(self) -> None:
        check_event(self.at, named_only=False)
        check_parameters(self, (MESSAGE, THEN))

    def __call__(self, script: Script) -> Script:
        return struck(script, self.at, self.then, self._error)

    def _error(self, seen: Seen) -> bytes:
        if seen.framing == "aws":
            return error_frame("internalServerError", self.message)
        return _untyped(seen, {"error": self.message})


_DETAIL = (
    Parameter(
        name="key",
        default="detail",
        choices=("detail", "message"),
        description="What the error is called instead.",
    ),
    MESSAGE,
    _NO_REST,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail:
    """As `ErrorEvent`, and nothing in it is called an error: so web frameworks report one.

    Frames always say which of them are errors, and are left whole.
    """

    at: EventPlace
    key: str = "detail"
    message: str = OVERLOADED
    then: str = "end"

    def __post_init__(self) -> None:
        check_event(self.at, named_only=False)
        check_parameters(self, _DETAIL)

    def __call__(self, script: Script) -> Script:
        return struck(script, self.at, self.then, self._error)

    def _error(self, seen: Seen) -> bytes | None:
        return None if seen.framing == "aws" else _untyped(seen, {self.key: self.message})


def _untyped(seen: Seen, value: Json) -> bytes:
    """An event of a server that knows nothing of types."""
    return written(replace(seen, dialect=None), value)


FAULTS = (
    FaultInfo(
        id="sem.error_with_choices",
        name="error beside choices",
        expect="raises",
        transport="nothing: the status is 200",
        description="A chunk like the others carries an error, or a native finish reason of one.",
        reference="diegosouzapw/OmniRoute#8210",
        make=ErrorWithChoices,
        places=EVENT_PLACES,
        parameters=_WITH_CHOICES,
        dialects=dialects("openai_chat"),
    ),
    FaultInfo(
        id="sem.error_string",
        name="error as a bare text",
        expect="raises",
        transport="nothing: the status is 200",
        description="The error is a text and no object.",
        reference="ollama/ollama#7668",
        make=ErrorString,
        places=EVENT_PLACES,
        parameters=(MESSAGE, THEN),
    ),
    FaultInfo(
        id="sem.error_detail",
        name="error without the word",
        expect="raises",
        transport="nothing: the status is 200",
        description="An object with a detail or a message comes, and then the stream ends.",
        reference="measured",
        make=ErrorDetail,
        places=EVENT_PLACES,
        parameters=_DETAIL,
        framings=frozenset({"ndjson", "sse"}),
    ),
)
