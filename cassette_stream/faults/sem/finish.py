"""Faults in how an answer ends: no reason, a strange one, no terminator, nothing in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cassette_stream.faults.edit import Edit, Seen, edit_events
from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.parameter import Parameter, check_parameters
from cassette_stream.faults.sem.words import (
    ALL,
    Json,
    dialects,
    is_finish,
    is_terminator,
    object_at,
    objects,
    set_reason,
    written,
)

if TYPE_CHECKING:
    from cassette_stream.script import Script

__all__ = (
    "ABNORMAL",
    "DONE_MISSING",
    "FINISH_MISSING",
    "TERMINAL",
    "DoneMissing",
    "FinishAbnormal",
    "FinishMissing",
    "ResponsesTerminal",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishMissing:
    """No event says why the answer ended; everything else is there, the terminator too."""

    def __call__(self, script: Script) -> Script:
        return edit_events(
            script, lambda seen: seen.altered(lambda value: set_reason(value, seen.dialect, None))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneMissing:
    """The stream ends, whole but for the event that says so: ``[DONE]`` or ``message_stop``."""

    def __call__(self, script: Script) -> Script:
        return edit_events(
            script, lambda seen: seen.replaced_by(b"") if is_terminator(seen) else []
        )


_REASON = (
    Parameter(
        name="reason",
        default="unknown",
        description="The reason, as it is written on the wire: length, content_filter, error, "
        'network_error, STOP, "" ...',
    ),
    Parameter(
        name="early",
        default=False,
        description="The first event of the answer has it as well (openai_chat and gemini).",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishAbnormal:
    """The answer ends for another *reason*, verbatim; where it is *early* it begins with that."""

    reason: str = "unknown"
    early: bool = False

    def __post_init__(self) -> None:
        check_parameters(self, _REASON)

    def __call__(self, script: Script) -> Script:
        has_begun = False

        def change(seen: Seen) -> list[Edit]:
            nonlocal has_begun
            is_first, has_begun = not has_begun, has_begun or _begins(seen)
            if seen.dialect == "openai_responses":
                return self._incomplete(seen)
            return seen.altered(lambda value: self._put(value, seen, first=is_first))

        return edit_events(script, change)

    def _put(self, value: Json, seen: Seen, *, first: bool) -> None:
        set_reason(value, seen.dialect, self.reason)
        if not (self.early and first):
            return
        for choice in objects(value, "choices"):
            choice["finish_reason"] = self.reason
        for candidate in objects(value, "candidates"):
            candidate["finishReason"] = self.reason

    def _incomplete(self, seen: Seen) -> list[Edit]:
        if not is_finish(seen) or not isinstance(seen.value, dict):
            return []
        return seen.replaced_by(written(seen, _incomplete(seen.value, self.reason)))


def _begins(seen: Seen) -> bool:
    return bool(objects(seen.value, "choices") or objects(seen.value, "candidates"))


def _incomplete(value: Json, reason: str) -> Json:
    """A last event of the Responses API that says that the response is not complete."""
    told = {"status": "incomplete", "incomplete_details": {"reason": reason}}
    return value | {"type": "response.incomplete", "response": object_at(value, "response") | told}


_HOW = (
    Parameter(
        name="how",
        default="missing",
        choices=("missing", "incomplete", "failed"),
        description="There is no last event, or it says that the response is not complete.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesTerminal:
    """No ``response.completed``: nothing in its place, or another of the last events."""

    how: str = "missing"

    def __post_init__(self) -> None:
        check_parameters(self, _HOW)

    def __call__(self, script: Script) -> Script:
        return edit_events(script, self._change)

    def _change(self, seen: Seen) -> list[Edit]:
        value = seen.value
        if seen.dialect != "openai_responses" or not is_finish(seen) or not isinstance(value, dict):
            return []
        if self.how == "missing":
            return seen.replaced_by(b"")
        if self.how == "incomplete":
            return seen.replaced_by(written(seen, _incomplete(value, "max_output_tokens")))
        error = {"code": "server_error", "message": "The model failed to generate a response."}
        told = object_at(value, "response") | {"status": "failed", "error": error}
        failed = value | {"type": "response.failed", "response": told}
        return seen.replaced_by(written(seen, failed))


FINISH_MISSING = FaultInfo(
    id="sem.finish_missing",
    name="terminator without a finish reason",
    expect="raises",
    expects={"ollama": "either"},  # done says that all is told, and older servers say no more
    transport="nothing: the framing is valid",
    description="No finish reason comes; everything else does, terminator included.",
    reference="agentjido/req_llm#638",
    make=FinishMissing,
    dialects=dialects("openai_chat", "anthropic", "gemini", "cohere", "ollama", "bedrock_converse"),
)
DONE_MISSING = FaultInfo(
    id="sem.done_missing",
    name="finish reason without a terminator",
    expect="either",
    transport="nothing: the framing is valid",
    description="The stream ends after the finish reason, without [DONE] or message_stop.",
    reference="chand1012/openai-cf-workers-ai#7",
    make=DoneMissing,
    dialects=dialects("openai_chat", "anthropic", "cohere"),
)
ABNORMAL = FaultInfo(
    id="sem.finish_abnormal",
    name="abnormal finish reason",
    expect="either",
    transport="nothing: the framing is valid",
    description="The answer ends for another reason, which must reach the user as it is.",
    reference="BerriAI/litellm#22673",
    make=FinishAbnormal,
    parameters=_REASON,
    dialects=ALL,
    common=True,
)
TERMINAL = FaultInfo(
    id="sem.responses_terminal",
    name="no response.completed",
    expect="raises",
    transport="nothing: the framing is valid",
    description="The last event is missing, or is response.incomplete or response.failed.",
    reference="langchain-ai/langchain#33840",
    make=ResponsesTerminal,
    parameters=_HOW,
    dialects=dialects("openai_responses"),
)
