"""Errors that a provider reports within a stream that began with a 200."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
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
from cassette_stream.faults.sem.words import ALL, in_style

if TYPE_CHECKING:
    from collections.abc import Callable

    from cassette_stream.script import Script

__all__ = ("FAULTS", "MESSAGE", "OVERLOADED", "THEN", "ErrorEvent", "struck")

OVERLOADED: Final = "The model is overloaded. Please try again later."
_DONE: Final = {
    "openai_chat": b"data: [DONE]\n\n",
    "cohere": b"data: [DONE]\n\n",
    "anthropic": b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
}

THEN = Parameter(
    name="then",
    default="end",
    choices=("end", "done", "goes_on"),
    description="What follows: nothing, the event that says that nothing more comes, or the rest.",
)
MESSAGE = Parameter(name="message", default=OVERLOADED, description="What it says.")
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
_ERROR = (_TYPE, MESSAGE, _CODE, THEN)


def struck(
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
    message: str = OVERLOADED
    code: str = ""
    then: str = "end"

    def __post_init__(self) -> None:
        check_event(self.at, named_only=False)
        check_parameters(self, _ERROR)

    def __call__(self, script: Script) -> Script:
        return struck(script, self.at, self.then, self._error)

    def _error(self, seen: Seen) -> bytes | None:
        message, kind, code = self.message, self.type or None, self.code or None
        match seen.dialect:
            case "openai_chat":
                told = openai_chat.encode_error(500, message, kind=kind, code=code)
            case "openai_responses":
                told = openai_responses.encode_error(
                    500, message, code=code or kind, sequence_number=_number(seen)
                )
            case "anthropic" if seen.framing == "aws":
                return bedrock_invoke.encode_error(503, message, kind=kind)
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
            case _:
                return None
        return in_style(seen, told)


def _number(seen: Seen) -> int:
    number = seen.value.get("sequence_number") if isinstance(seen.value, dict) else None
    return number if isinstance(number, int) else seen.number - 1


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
)
