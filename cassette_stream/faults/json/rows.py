"""The rows of the catalogue for the faults in JSON."""

from __future__ import annotations

from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.json.broken import (
    CONTROLS,
    CUTTABLE,
    ILLEGAL,
    ArrayFrame,
    Concat,
    Control,
    Cut,
    Html,
    InvalidUtf8,
)
from cassette_stream.faults.json.odd import (
    NUMBERS,
    SCALARS,
    BigInt,
    Deep,
    DupKeys,
    Nan,
    Nul,
    Scalar,
)
from cassette_stream.faults.json.surrogates import HALVES, Surrogate
from cassette_stream.faults.parameter import Parameter

__all__ = ("FAULTS",)

_NOTHING = "nothing: the framing is valid"

FAULTS = (
    FaultInfo(
        id="json.cut",
        name="JSON cut inside a whole event",
        expect="raises",
        transport=_NOTHING,
        description="The JSON of one event breaks off; the event and the stream go on.",
        reference="openclaw/openclaw#29320",
        places=("event",),
        insides=CUTTABLE,
        make=Cut,
    ),
    FaultInfo(
        id="json.html",
        name="HTML as data",
        expect="raises",
        transport=_NOTHING,
        description="The data of one event is a page of HTML.",
        reference="BerriAI/litellm#4500",
        places=("event",),
        make=Html,
    ),
    FaultInfo(
        id="json.concat",
        name="two objects in one data line",
        expect="raises",
        transport=_NOTHING,
        description="The JSON of an event and that of the next stand on one data line.",
        reference="measured",
        places=("event",),
        make=Concat,
    ),
    FaultInfo(
        id="json.array_frame",
        name="JSON array instead of SSE (alt=sse lost)",
        expect="either",
        transport=_NOTHING,
        description="The body is one JSON array of what else would be events; the head stays.",
        reference="BerriAI/litellm#10410",
        dialects=frozenset({"gemini"}),
        make=ArrayFrame,
    ),
    FaultInfo(
        id="json.nan",
        name="NaN or Infinity in JSON",
        expect="either",
        transport=_NOTHING,
        description="An event has a log probability that is no JSON number.",
        reference="vllm-project/vllm#19661",
        places=("event",),
        make=Nan,
        parameters=(
            Parameter(
                name="kind",
                default="nan",
                choices=NUMBERS,
                description="Which.",
            ),
        ),
    ),
    FaultInfo(
        id="json.scalar",
        name="event that is no JSON object",
        expect="either",
        transport=_NOTHING,
        description="Beside an event there is one that is null, an array or a string.",
        reference="measured",
        places=("event",),
        make=Scalar,
        parameters=(
            Parameter(
                name="kind",
                default="null",
                choices=SCALARS,
                description="What it is instead of an object.",
            ),
        ),
    ),
    FaultInfo(
        id="json.invalid_utf8",
        name="invalid UTF-8",
        expect="raises",
        transport=_NOTHING,
        description="In a string of one event there are bytes that are no UTF-8.",
        reference="ggml-org/llama.cpp#28926",
        places=("event",),
        insides=("json_string",),
        make=InvalidUtf8,
        parameters=(
            Parameter(
                name="kind",
                default="ff",
                choices=ILLEGAL,
                description="The byte 0xFF, or an emoji as two surrogates of three bytes each.",
            ),
        ),
    ),
    FaultInfo(
        id="json.surrogate",
        name="half a surrogate pair",
        expect="either",
        transport=_NOTHING,
        description="An emoji in the text of an event is escaped half in it, half in the next.",
        reference="Kohaku-Lab/KohakuTerrarium#48",
        places=("event",),
        make=Surrogate,
        parameters=(
            Parameter(
                name="kind",
                default="split",
                choices=HALVES,
                description="Whether the other half comes with the next event, or never.",
            ),
        ),
    ),
    FaultInfo(
        id="json.nul",
        name="escaped NUL",
        expect="either",
        transport=_NOTHING,
        description="An event has a string with an escaped NUL, in a member of its own.",
        reference="measured",
        places=("event",),
        make=Nul,
    ),
    FaultInfo(
        id="json.control",
        name="unescaped control character",
        expect="raises",
        transport=_NOTHING,
        description="In a string of one event there is a raw control character.",
        reference="measured",
        places=("event",),
        insides=("json_string",),
        make=Control,
        parameters=(
            Parameter(
                name="kind",
                default="tab",
                choices=CONTROLS,
                description="Which.",
            ),
        ),
    ),
    FaultInfo(
        id="json.dup_keys",
        name="duplicate keys",
        expect="either",
        transport=_NOTHING,
        description="An event has all members of its object twice, with the same values.",
        reference="measured",
        places=("event",),
        make=DupKeys,
    ),
    FaultInfo(
        id="json.big_int",
        name="integer of thousands of digits",
        expect="either",
        transport=_NOTHING,
        description="An event has a number longer than Python reads, in a member of its own.",
        reference="measured",
        places=("event",),
        make=BigInt,
        parameters=(
            Parameter(
                name="digits",
                default=5_000,
                low=1,
                high=10_000_000,
                description="How many digits it has.",
            ),
        ),
    ),
    FaultInfo(
        id="json.deep",
        name="deep nesting",
        expect="either",
        transport=_NOTHING,
        description="An event has arrays nested deeper than the stack, in a member of its own.",
        reference="measured",
        places=("event",),
        make=Deep,
        parameters=(
            Parameter(
                name="depth",
                default=10_000,
                low=1,
                high=10_000_000,
                description="How many arrays there are in each other.",
            ),
        ),
    ),
)
