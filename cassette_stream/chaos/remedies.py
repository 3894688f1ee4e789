"""What to do about a trial that went wrong, in one sentence.

The catalogue says what a correct client does; this says how code comes to do it. What is
written down for a fault wins over what is for its layer, and that over what is for the
verdict alone, so a new fault has a remedy before anybody writes one.
"""

from __future__ import annotations

from collections.abc import Iterator

from cassette_stream.chaos.verdict import Flag, Verdict
from cassette_stream.faults import Expect

__all__ = ("advice_on", "remedy")

_TERMINAL = (
    "the transport cannot tell that the stream was cut: raise unless the finish reason and, "
    "where the dialect has one, the terminator ([DONE], message_stop) came"
)
_LET_THROUGH = (
    "the transport raised, and that was swallowed: let it reach the user, with the text that "
    "came by then told apart from a whole answer"
)
_STATUS = "look at the status before you read events: raise_for_status, or an error of your own"
_CONTENT_TYPE = (
    "look at the content type before you read events, and raise where a 200 ends without one"
)
_CODING = "a 200 whose body holds no event is no answer: raise where the stream told nothing"
_BYTES = (
    "the bytes are the same, cut elsewhere: decode UTF-8 incrementally and wait for the end of "
    "the line, never decode chunk by chunk"
)
_SSE = (
    "read events as the standard has it: lines end at CR, LF or CRLF and nowhere else, the blank "
    "behind the colon is optional, data lines are joined, what has no data is skipped "
    "(cassette_stream.wire.SSEDecoder does)"
)
_BARE = "a line that is no field and no comment is an error that somebody printed: raise with it"
_PROGRESS = (
    "comments and pings are no progress: time the gap between data events, and raise when it is "
    "too long"
)
_JSON = "an event that is no whole JSON object is lost text: raise with it, do not skip it"
_CONCAT = "read a line to its end: what stands behind the first JSON object is text too"
_ODD_JSON = (
    "JSON may be odd and still say something: take it, or raise your own error, and let no limit "
    "of the parser through"
)
_ERROR_EVENT = (
    "look for an error in each event before anything else: behind a 200 it is the only sign"
)
_SHAPE = (
    "take every field for optional: choices may be empty, a delta null, a type unknown: skip it"
)
_ORDER = "the events contradict each other: keep the order that the dialect promises, and raise"
_NUMBERED = (
    "nothing in the bytes shows it, unless the dialect numbers its events: check the "
    "sequence_number where there is one"
)
_DEADLINE = (
    "a read timeout never passes while something trickles in: give the whole call a deadline"
)
_AT_TERMINATOR = (
    "stop at the terminator ([DONE], message_stop), and do not wait for the end of the body"
)
_CLOSE = (
    "close the response however you leave it: with client.stream(...), or contextlib.closing "
    "(aclosing) around the generator"
)

_ADVICE: dict[str, str] = {
    "head": _CONTENT_TYPE,
    "head.stall": "wait for the head with a timeout, and tell the user when it passes",
    "head.401": _STATUS,
    "head.403_html": _STATUS,
    "head.408": _STATUS,
    "head.429": _STATUS,
    "head.500": _STATUS,
    "head.502_html": _STATUS,
    "head.503": _STATUS,
    "head.504_empty": _STATUS,
    "head.524_html": _STATUS,
    "head.529": _STATUS,
    "head.200_empty": "raise where a stream ends without a single event that says something",
    "head.200_json_error": "raise the error of a body that is JSON and no event stream",
    "head.200_json_completion": "take a whole completion for one chunk, or raise: never be empty",
    "head.wrong_content_type": "a body that reads as events is a stream, whatever its type says",
    "head.delay": "wait as long as the timeout allows: a slow head is no failure",
    "head.late_flush": "events may come all at once: only a silence is a reason to give up",
    "body": _LET_THROUGH,
    "body.clean_end": _TERMINAL,
    "body.eof_delimited": _TERMINAL,
    "body.length_short": _TERMINAL,
    "body.gzip_cut": _TERMINAL,
    "body.h2_end_cut": _TERMINAL,
    "body.encoding_missing": _CODING,
    "body.encoding_lie": _CODING,
    "body.split": _BYTES,
    "body.slice": _BYTES,
    "body.drip": _DEADLINE,
    "body.hold_open": _AT_TERMINATOR,
    "body.trailing": _AT_TERMINATOR,
    "sse": _SSE,
    "sse.bare_error": _BARE,
    "sse.keepalive_stall": _PROGRESS,
    "sse.newline_corruption": _JSON,
    "sse.space_padded_cut": _JSON,
    "sse.comment_as_data": _JSON,
    "sse.no_final_blank": "decide what a last event without its blank line is, and say so",
    "sse.event_missing": "go by the type in the JSON: the event: line may be missing",
    "sse.event_added": "go by the type in the JSON: an event: line may be added",
    "sse.huge": "put no limit on a line, and look at each byte once",
    "json": _JSON,
    "json.concat": _CONCAT,
    "json.nan": _ODD_JSON,
    "json.surrogate": "hold half a pair back until its other half comes, and never give it alone",
    "json.nul": _ODD_JSON,
    "json.dup_keys": _ODD_JSON,
    "json.big_int": _ODD_JSON,
    "json.deep": _ODD_JSON,
    "sem": _SHAPE,
    "sem.error_event": _ERROR_EVENT,
    "sem.error_first": _ERROR_EVENT,
    "sem.error_with_choices": _ERROR_EVENT,
    "sem.error_string": _ERROR_EVENT,
    "sem.error_detail": "an event of no known shape is no text: raise with it",
    "sem.finish_missing": "raise where no finish reason came: never take it for stop",
    "sem.done_missing": "a finish reason without the terminator is a whole answer",
    "sem.finish_abnormal": "pass the finish reason on as it is: none but stop is stop",
    "sem.responses_terminal": (
        "four events end a Responses stream (completed, incomplete, failed, error): raise "
        "where none of them came"
    ),
    "sem.tool_cut": "parse the arguments before the tool is called, and raise where they are cut",
    "sem.tool_delta": "join fragments by index and id; another id on a used index is another call",
    "sem.usage": "the last usage that is not null counts; add none up, and take none for zero",
    "sem.order": _ORDER,
    "sem.dropped": _NUMBERED,
    "sem.reordered": _NUMBERED,
    "sem.duplicated": _NUMBERED,
    "sem.replay_after_retry": "do not try again once the first chunk was delivered",
    "sem.loop": _DEADLINE,
    "sem.ping": "skip an event that you do not know",
    "sem.unknown_event": "skip an event that you do not know",
    "sem.late_content": "take what comes behind the finish reason, or raise: do not drop it",
    "sem.empty_success": "tell an answer without text and tool calls from a text that is empty",
    "end": "leave nothing open, whoever leaves first",
    "end.close_evicts": "read on to the end of the body once the terminator is there: it is close",
    "end.close_hangs": _AT_TERMINATOR,
    "end.cancel_leak": "close the response in a scope that a second cancellation cannot reach",
    "end.abandoned": _CLOSE,
    "end.cross_loop": "keep one client per event loop",
}
"""What code has to do, by fault or layer."""

_WRONG: dict[str, str] = {
    "connect": "the exception of the HTTP library came through: catch httpx.HTTPError around the "
    "request, and raise your own from it",
    "head": "the exception of a layer below came through: look at status and content type first, "
    "catch httpx.HTTPError, and raise your own",
    "body": "the exception of the HTTP library came through: catch httpx.HTTPError around the "
    "whole loop over the stream, not only around the request, and raise your own from it",
    "json": "the exception of the parser came through: catch ValueError where an event is parsed, "
    "and raise your own with the event in it",
}
"""What to do about an exception that is nobody's business, by layer."""

_VERDICTS: dict[Verdict, str] = {
    Verdict.SILENT: "the result is another one and nobody is told: raise, or mark it as incomplete",
    Verdict.WRONG_ERROR: "an exception of a layer below came through: raise your own from it, or, "
    "where your users are told of it, name it with raises",
    Verdict.HANG: "nothing ends the wait: set a read timeout, and a deadline for the whole call",
    Verdict.RAISED: "this is legal, and a correct client gives the full answer",
    Verdict.OK: "the answer is right",
}

_FLAGS: dict[Flag, str] = {
    Flag.MADE_UP_FINISH: "no stream told this finish reason: leave it out where none came",
    Flag.DUPLICATED: "something is there twice: do not try again once a chunk was delivered",
    Flag.INCOMPLETE_TOOL_CALL: "parse the arguments of a tool call before it is handed on",
    Flag.LEAKED: _CLOSE,
}
_TIMED = ("body.drip", "body.hold_open", "sse.keepalive_stall", "sem.loop", "end.close_hangs")


def remedy(
    fault: str, verdict: Verdict, flags: tuple[Flag, ...] = (), error: str | None = None
) -> str:
    """What to do about *verdict* on *fault*: a clause, or a few with semicolons.

    *error* is what was raised, as a result tells it.
    """
    told = [_FLAGS[flag] for flag in flags]
    # A leak behind the right answer is the leak alone.
    if verdict is not Verdict.OK:
        told.insert(0, _about(fault, verdict, error or ""))
    return "; ".join(dict.fromkeys(told)) or _VERDICTS[Verdict.OK]


def _about(fault: str, verdict: Verdict, error: str) -> str:
    layer = fault.partition(".")[0]
    if layer == "body" and error.startswith(("json.", "UnicodeDecodeError")):
        return _WRONG["json"]  # the transport had nothing to raise: the decoder met the cut
    match verdict:
        case Verdict.HANG:
            return _ADVICE[fault] if fault in _TIMED else _VERDICTS[verdict]
        case Verdict.WRONG_ERROR:
            foreign = layer == "json" or error.startswith("http")
            known = (
                _ADVICE.get(fault),
                _WRONG.get(layer) if foreign else None,
                _ADVICE.get(layer) if layer in {"sse", "sem", "end"} else None,
            )
            return next(filter(None, known), _VERDICTS[verdict])
        case _:
            return _ADVICE.get(fault) or _ADVICE.get(layer) or _VERDICTS[verdict]


def advice_on(fault: str, expect: Expect) -> Iterator[str]:
    """What a correct client does about *fault*, and how."""
    yield {
        "raises": "raises: its user is told, whatever came by then",
        "tolerates": "tolerates it: its user gets the full answer",
        "either": "gives the full answer or raises, by a choice of its own; it is never silent",
        "undetectable": "may be silent: the bytes do not show that anything is wrong",
    }[expect]
    if fault in _ADVICE:
        yield _ADVICE[fault]
