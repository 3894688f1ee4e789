"""Errors that a provider reports within a stream that began with a 200."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.faults.edit import Edit, Seen, edit_event, end_at
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.place import EVENT_PLACES, Event, EventPlace, check_event
from cassette_stream.faults.sem.words import ALL, CHAT_HEAD, Json, dialects, in_style, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from cassette_stream.script import Script

__all__ = ("FAULTS", "ErrorDetail", "ErrorEvent", "ErrorString", "ErrorWithChoices")

_OVERLOADED: Final = "The model is overloaded. Please try again later."
_DONE: Final = {
    "openai_chat": b"data: [DONE]\n\n",
    "cohere": b"data: [DONE]\n\n",
    "anthropic": b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
}

_THEN = Parameter(
    name="then",
    default="end",
    choices=("end", "done", "goes_on"),
    description="What follows: nothing, the event that says that nothing more comes, or the rest.",
)
_NO_REST = Parameter(
    name="then",
    default="end",
    choices=("end", "done"),
    description="What follows: nothing, or the event that says that nothing more comes.",
)
_MESSAGE = Parameter(name="message", default=_OVERLOADED, description="What it says.")
_TYPE = Parameter(
    name="type",
    default="",
    description="Its type, or what the dialect has in its place; an overload if not given.",
)
_CODE = Parameter(
    name="code",
    default="",
    description="Its code; a number for gemini; beside it only those of OpenAI have one.",
)
_ERROR = (_TYPE, _MESSAGE, _CODE, _THEN)


def _struck(
    script: Script, at: EventPlace, then: str, error_of: Callable[[Seen], bytes | None]
) -> Script:
    """The *script* with an error at one event, and after it what *then* says."""

    def before(seen: Seen) -> list[Edit]:
        error = error_of(seen)
        return [] if error is None else seen.preceded_by(error)

    def instead(seen: Seen) -> bytes | None:
        error = error_of(seen)
        if error is None or then == "end":
            return error
        return error + in_style(seen, _DONE.get(seen.dialect or "", b""))

    return edit_event(script, at, before) if then == "goes_on" else end_at(script, at, instead)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEvent:
    """The provider reports an error in the place of the event *at*; the answer is not over.

    A stream of no known dialect, or without the event, is left whole.
    """

    at: EventPlace
    type: str = ""
    message: str = _OVERLOADED
    code: str = ""
    then: str = "end"

    def __post_init__(self) -> None:
        check_event(self.at, named_only=False)
        check_parameters(self, _ERROR)

    def __call__(self, script: Script) -> Script:
        return _struck(script, self.at, self.then, self._error)

    def _error(self, seen: Seen) -> bytes | None:
        message, kind, code = self.message, self.type or None, self.code or None
        match seen.dialect:
            case "openai_chat":
                told = openai_chat.encode_error(500, message, kind=kind, code=code)
            case "openai_responses":
                told = openai_responses.encode_error(
                    500, message, code=code or kind, sequence_number=_number(seen)
                )
            case "anthropic":
                told = anthropic.encode_error(529, message, kind=kind)
            case "gemini":
                status = int(code) if code is not None and code.isdecimal() else 503
                told = gemini.encode_error(status, message, kind=kind)
            case "bedrock_converse":
                return bedrock_converse.encode_error(503, message, kind=kind)
            case "ollama":
                return ollama.encode_error(500, message)
            case "cohere":
                told = cohere.encode_error(500, message, kind=kind)
            case None:
                return None
        return in_style(seen, told)


def _number(seen: Seen) -> int:
    number = seen.value.get("sequence_number") if isinstance(seen.value, dict) else None
    return number if isinstance(number, int) else seen.number - 1


_WITH_CHOICES = (
    Parameter(
        name="quirk",
        default="finish_reason",
        choices=("finish_reason", "empty_choices", "native_finish_reason"),
        description="Beside the error there is a choice that ended with one, or none; "
        "or there is no error, and only the native reason of the choice says so.",
    ),
    _MESSAGE,
    _THEN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorWithChoices:
    """As `ErrorEvent`, in a chunk that looks like the others: so OpenRouter reports one."""

    at: EventPlace
    quirk: str = "finish_reason"
    message: str = _OVERLOADED
    then: str = "end"

    def __post_init__(self) -> None:
        check_event(self.at, named_only=False)
        check_parameters(self, _WITH_CHOICES)

    def __call__(self, script: Script) -> Script:
        return _struck(script, self.at, self.then, self._error)

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
    """As `ErrorEvent`, with a text where the error belongs: so Ollama and LM Studio do."""

    at: EventPlace
    message: str = _OVERLOADED
    then: str = "end"

    def __post_init__(self) -> None:
        check_event(self.at, named_only=False)
        check_parameters(self, (_MESSAGE, _THEN))

    def __call__(self, script: Script) -> Script:
        return _struck(script, self.at, self.then, self._error)

    def _error(self, seen: Seen) -> bytes:
        return _untyped(seen, {"error": self.message})


_DETAIL = (
    Parameter(
        name="key",
        default="detail",
        choices=("detail", "message"),
        description="What the error is called instead.",
    ),
    _MESSAGE,
    _NO_REST,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail:
    """As `ErrorEvent`, and nothing in it is called an error: so web frameworks report one."""

    at: EventPlace
    key: str = "detail"
    message: str = _OVERLOADED
    then: str = "end"

    def __post_init__(self) -> None:
        check_event(self.at, named_only=False)
        check_parameters(self, _DETAIL)

    def __call__(self, script: Script) -> Script:
        return _struck(script, self.at, self.then, self._error)

    def _error(self, seen: Seen) -> bytes:
        return _untyped(seen, {self.key: self.message})


def _untyped(seen: Seen, value: Json) -> bytes:
    """An event of a server that knows nothing of types."""
    return written(replace(seen, dialect=None), value)


FAULTS = (
    FaultInfo(
        id="sem.error_event",
        name="in-band error after 200",
        expect="raises",
        transport="nothing: the status is 200",
        description="The provider reports an error as an event, in the words of the dialect.",
        reference="anthropics/anthropic-sdk-python#688",
        make=ErrorEvent,
        places=EVENT_PLACES,
        parameters=_ERROR,
        dialects=ALL,
        common=True,
    ),
    FaultInfo(
        id="sem.error_first",
        name="the error is the first event",
        expect="raises",
        transport="nothing: the status is 200",
        description="The first event is an error, where a status should have been.",
        reference="vercel/ai#10653",
        make=partial(ErrorEvent, at=Event("first")),
        parameters=_ERROR,
        dialects=ALL,
    ),
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
        parameters=(_MESSAGE, _THEN),
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
    ),
)
