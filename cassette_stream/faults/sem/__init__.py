"""Faults in what a stream says: errors, ends, shapes, tool calls, usage, order.

All of it is valid HTTP, valid events and valid JSON, so only who knows the dialect can tell.
Each fault speaks the dialect of the stream that it breaks; a stream of a dialect that does
not have the notion is left whole.
"""

from cassette_stream.faults.info import FaultInfo
from cassette_stream.faults.sem import errors, other_errors
from cassette_stream.faults.sem.errors import ErrorEvent
from cassette_stream.faults.sem.extra import (
    EMPTY_CHOICES,
    NULL_DELTA,
    PING,
    EmptyChoices,
    NullDelta,
    Ping,
)
from cassette_stream.faults.sem.finish import (
    ABNORMAL,
    DONE_MISSING,
    FINISH_MISSING,
    TERMINAL,
    DoneMissing,
    FinishAbnormal,
    FinishMissing,
    ResponsesTerminal,
)
from cassette_stream.faults.sem.late import LATE_CONTENT, LateContent
from cassette_stream.faults.sem.nothing import EMPTY_SUCCESS, EmptySuccess
from cassette_stream.faults.sem.order import (
    DROPPED,
    DUPLICATED,
    LOOP,
    REORDERED,
    Dropped,
    Duplicated,
    Loop,
    Reordered,
)
from cassette_stream.faults.sem.other_errors import ErrorDetail, ErrorString, ErrorWithChoices
from cassette_stream.faults.sem.protocol import ORDER, Order
from cassette_stream.faults.sem.replay import REPLAYED, ReplayAfterRetry
from cassette_stream.faults.sem.shape import CONTENT_SHAPE, ContentShape
from cassette_stream.faults.sem.tools import TOOL_CUT, TOOL_DELTA, ToolCut, ToolDelta
from cassette_stream.faults.sem.unknown import UNKNOWN_EVENT, UnknownEvent
from cassette_stream.faults.sem.usage import USAGE, Usage

__all__ = (
    "FAULTS",
    "ContentShape",
    "DoneMissing",
    "Dropped",
    "Duplicated",
    "EmptyChoices",
    "EmptySuccess",
    "ErrorDetail",
    "ErrorEvent",
    "ErrorString",
    "ErrorWithChoices",
    "FinishAbnormal",
    "FinishMissing",
    "LateContent",
    "Loop",
    "NullDelta",
    "Order",
    "Ping",
    "Reordered",
    "ReplayAfterRetry",
    "ResponsesTerminal",
    "ToolCut",
    "ToolDelta",
    "UnknownEvent",
    "Usage",
)

FAULTS: tuple[FaultInfo, ...] = (
    *errors.FAULTS,
    *other_errors.FAULTS,
    FINISH_MISSING,
    DONE_MISSING,
    ABNORMAL,
    TERMINAL,
    EMPTY_CHOICES,
    NULL_DELTA,
    CONTENT_SHAPE,
    TOOL_CUT,
    TOOL_DELTA,
    USAGE,
    ORDER,
    DROPPED,
    REORDERED,
    DUPLICATED,
    REPLAYED,
    LOOP,
    UNKNOWN_EVENT,
    PING,
    LATE_CONTENT,
    EMPTY_SUCCESS,
)
