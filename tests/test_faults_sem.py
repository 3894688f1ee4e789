"""Faults in what a stream says: each is where it was told, is nothing else, and is noticed."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from breaking import ENCODERS, IN_SSE, answer, expected, has, outcome, stream, words_of
from fault_laws import streams
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from cassette_stream.exceptions import (
    APIError,
    InternalServerError,
    MalformedStreamError,
    OverloadedError,
    PlanError,
    RateLimitError,
    ServiceUnavailableError,
    StreamProtocolError,
    Timeout,
)
from cassette_stream.faults import Event, FaultInfo, Rule, catalogue, parse, sem
from cassette_stream.faults.dialect import text_in
from cassette_stream.faults.edit import events_in
from cassette_stream.script import Emit, Head, Step, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cassette_stream.faults import Fault
    from cassette_stream.faults.dialect import Dialect

pytestmark = pytest.mark.matrix(11)

ROWS = {info.id: info for info in sem.FAULTS}
DIALECTS: tuple[Dialect, ...] = tuple(ENCODERS)
REASONS = ("unknown", "length", "content_filter", "error", "network_error", "", "STOP")

# Of each fault with quirks, those that a dialect does not have.
ABSENT: dict[str, dict[Dialect, set[str]]] = {
    "sem.content_shape": {
        "openai_responses": {"null", "empty", "parts", "role_each", "role_never"},
        "anthropic": {"null", "empty", "parts", "role_each", "id_changing", "created_string"},
        "gemini": {"null", "empty", "parts", "role_each", "created_string"},
        "cohere": {"null", "empty", "parts", "role_each", "id_changing", "created_string"},
        "ollama": {"empty", "parts", "role_each", "id_null", "id_changing", "created_string"},
        "bedrock_converse": set(sem.CONTENT_SHAPE.parameters[0].choices) - {"role_never"},
    },
    "sem.tool_delta": {
        "openai_responses": {"missing_index", "null_index", "empty_id", "repeated_id"}
        | {"repeated_name", "empty_name", "null_arguments", "object_arguments"},
        "anthropic": {"missing_index", "null_index", "empty_id", "repeated_id", "changed_id"}
        | {"repeated_name", "empty_name", "one_chunk"},
        "gemini": set(sem.TOOL_DELTA.parameters[0].choices) - {"missing_id", "null_id"},
        **dict.fromkeys(
            ("cohere", "bedrock_converse"),
            {"missing_index", "null_index", "empty_id", "repeated_id", "changed_id"}
            | {"repeated_name", "empty_name", "one_chunk"},
        ),
        "ollama": {"empty_id", "repeated_id", "changed_id", "repeated_name", "empty_name"}
        | {"null_arguments", "object_arguments", "interleaved"},
    },
    "sem.usage": {
        "openai_responses": {"null_each", "cumulative", "early", "twice", "with_choices"},
        "anthropic": {"null_each", "early", "with_choices"},
        "gemini": {"cumulative", "early", "with_choices"},
        **dict.fromkeys(("cohere", "ollama"), set(sem.USAGE.parameters[0].choices) - {"missing"}),
        "bedrock_converse": {"null_each", "cumulative", "with_choices"},
    },
    "sem.order": {"openai_responses": {"index_gap"}, "bedrock_converse": {"stop_without_start"}},
    "sem.late_content": {key: {"finish_with_content"} for key in ("anthropic", "bedrock_converse")},
    "sem.unknown_event": {"openai_responses": {"delta"}},
}


def recorded(dialect: Dialect, *, calls: bool) -> list[Step]:
    """The stream of an answer, an event a chunk, each after a wait that no other has."""
    steps = stream(dialect, calls=calls)
    if dialect == "openai_chat":
        events = ENCODERS[dialect].encode(answer(calls=calls), include_usage=True)
        plain = (Emit(event.replace(b',"usage":null', b"")) for event in events)
        steps = [*steps[:2], *itertools.chain(*([Wait(0), emit] for emit in plain))]
    waits = itertools.count(301)
    return [
        *steps[:2],
        *(Wait(next(waits) / 1000) if isinstance(step, Wait) else step for step in steps[2:]),
    ]


def sent(script: Iterable[Step]) -> bytes:
    return b"".join(step.data for step in script if isinstance(step, Emit))


def by_wait(script: Iterable[Step]) -> dict[float, bytes]:
    """What comes after each wait."""
    found: dict[float, bytes] = {}
    last = 0.0
    for step in script:
        if isinstance(step, Wait):
            last = step.seconds
            found.setdefault(last, b"")
        elif isinstance(step, Emit):
            found[last] += step.data
    return found


def quirks(info: FaultInfo) -> list[dict[str, object]]:
    """All that a fault can do: each of its words with the defaults of the others."""
    if info.id == "sem.finish_abnormal":
        return [{"reason": it, "early": early} for it in REASONS for early in (False, True)]
    found: list[dict[str, object]] = [{}]
    for parameter in info.parameters:
        if parameter.choices:
            found += [{parameter.name: it} for it in parameter.choices if it != parameter.default]
    return found


def built(info: FaultInfo, at: int | str | None, told: dict[str, object]) -> Fault:
    return Rule(info.id, at=None if at is None else Event(at), parameters=told).build()


def applied(fault: Fault, steps: list[Step], *, most: int = 400) -> list[Step]:
    """What *fault* makes of a script, as far as it has an end."""
    return list(itertools.islice(fault(iter(steps)), most))


def is_absent(info: FaultInfo, dialect: Dialect, told: dict[str, object]) -> bool:
    default = next((it.default for it in info.parameters if it.name == "quirk"), None)
    return told.get("quirk", default) in ABSENT.get(info.id, {}).get(words_of(dialect), ())


CASES = [
    pytest.param(info, dialect, told, id=" ".join([info.id, dialect, *map(str, told.values())]))
    for info in ROWS.values()
    for dialect in DIALECTS
    if has(info, dialect)
    for told in quirks(info)
    if not is_absent(info, dialect, told)
]
each_case = pytest.mark.parametrize(("info", "dialect", "told"), CASES)
ENDLESS = {"sem.loop"}
CUTTING = {"sem.error_event", "sem.error_first", "sem.error_with_choices", "sem.error_string"}
CUTTING |= {"sem.error_detail"}


def test_the_layer_has_all_its_rows() -> None:
    named = [id_.partition(".")[2] for id_ in catalogue() if id_.startswith("sem.")]

    assert named == list(ROWS_IN_ORDER)


ROWS_IN_ORDER = (
    "error_event", "error_first", "error_with_choices", "error_string", "error_detail",
    "finish_missing", "done_missing", "finish_abnormal", "responses_terminal", "empty_choices",
    "null_delta", "content_shape", "tool_cut", "tool_delta", "usage", "order", "dropped",
    "reordered", "duplicated", "replay_after_retry", "loop", "unknown_event", "ping",
    "late_content", "empty_success",
)  # fmt: skip


@each_case
def test_a_fault_strikes_a_stream_that_has_the_notion(
    info: FaultInfo, dialect: Dialect, told: dict[str, object]
) -> None:
    if told.get("reason") == "STOP" and dialect == "gemini" and not told["early"]:
        return  # its own word
    steps = recorded(dialect, calls=True)
    numbers = range(1, len(events_in(steps)) - 1) if info.places else [None]

    assert any(applied(built(info, at, told), steps) != steps for at in numbers)


@pytest.mark.parametrize("info", ROWS.values(), ids=ROWS)
def test_a_stream_that_does_not_have_the_notion_is_left_whole(info: FaultInfo) -> None:
    for dialect, told in itertools.product(DIALECTS, quirks(info)):
        steps = recorded(dialect, calls=True)
        fault = built(info, 9 if info.places else None, told)
        if not has(info, dialect) or is_absent(info, dialect, told):
            assert applied(fault, steps) == steps
    if info.dialects is not None:
        strange = [Head(200), Emit(b'data: {"hello":1}\n\n' * 12)]

        assert applied(built(info, 9 if info.places else None, {}), strange) == strange


@each_case
def test_an_event_that_is_struck_is_where_it_was_spokenand_all_others_stay(
    info: FaultInfo, dialect: Dialect, told: dict[str, object]
) -> None:
    if not info.places:
        return
    steps = recorded(dialect, calls=True)
    before = by_wait(steps)
    waits = list(before)[1:]  # the first is that for the head
    for number, wait in enumerate(waits, 1):
        if info.id == "sem.reordered" and wait == waits[-1]:
            continue
        after = by_wait(script := applied(built(info, number, told), steps))
        if script == steps:
            continue
        earlier, later = waits[: number - 1], waits[number:]

        if info.id == "sem.replay_after_retry":
            heard = [step.data for step in script if isinstance(step, Emit)]

            assert heard[: len(earlier)] == [before[it] for it in earlier]
            assert heard[2 * len(earlier) :] == [before[it] for it in waits[number - 1 :]]
            continue

        assert [after[it] for it in earlier] == [before[it] for it in earlier]
        if info.id == "sem.reordered":
            assert sorted(after.values()) == sorted(before.values())
        elif info.id not in ENDLESS | CUTTING or told.get("then") == "goes_on":
            assert [after[it] for it in later] == [before[it] for it in later]


FINISH = (b'finish_reason":"', b'stop_reason":"', b"finishReason", b'"type":"response.completed"')
FINISH += (b"done_reason", b"stopReason")
CALLS = (*FINISH, b"tool_calls", b"tool_use", b"input_json", b"function_call", b"functionCall")
CALLS += (b"content_block_stop", b"contentBlockStop", b"tool-call", b"toolUse")
TOUCHED = {
    "sem.finish_missing": FINISH,
    "sem.done_missing": (b"[DONE]", b"message_stop", b"message-end"),
    "sem.finish_abnormal": FINISH,
    "sem.responses_terminal": FINISH,
    "sem.tool_cut": CALLS,
    "sem.tool_delta": CALLS,
}


@each_case
def test_an_event_that_a_fault_does_not_speak_of_stays_as_it_was(
    info: FaultInfo, dialect: Dialect, told: dict[str, object]
) -> None:
    if info.id not in TOUCHED or told.get("early"):
        return
    steps = recorded(dialect, calls=True)
    before, after = by_wait(steps), by_wait(applied(built(info, None, told), steps))

    assert list(after) == list(before)
    for wait, event in before.items():
        spoken = (seen.name.encode() + seen.text for seen in events_in([Emit(event)]))
        said = b"".join(spoken) or event
        if not any(mark in said for mark in TOUCHED[info.id]):
            assert after[wait] == event


@each_case
@settings(max_examples=100 if SOAK else 8)
@given(data=st.data())
def test_what_a_fault_tells_does_not_depend_on_where_the_network_cut(
    info: FaultInfo, dialect: Dialect, told: dict[str, object], data: st.DataObject
) -> None:
    steps = recorded(dialect, calls=True)
    body = sent(steps)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    pieces = [body[a:b] for a, b in itertools.pairwise([0, *cuts, len(body)])]
    cut = [Head(200), *itertools.chain(*([Wait(1), Emit(piece)] for piece in pieces))]
    number = data.draw(st.integers(1, len(events_in(steps)) - 1)) if info.places else None
    fault = built(info, number, told)
    whole, in_pieces = applied(fault, [Head(200), Emit(body)]), applied(fault, cut)
    if info.id in ENDLESS:
        assert sent(whole)[:9_000] == sent(in_pieces)[:9_000]
        return

    assert sent(in_pieces) == sent(whole)
    if info.id != "sem.replay_after_retry":
        waits = [step for step in in_pieces if isinstance(step, Wait)]
        assert waits == [step for step in cut if isinstance(step, Wait)][: len(waits)]


def places(info: FaultInfo, steps: list[Step], *, few: bool) -> list[int | None]:
    """Every event, or a few of them."""
    if not info.places:
        return [None]
    last = len(events_in(steps))
    return [*({2, last // 2, last - 2} if few else range(1, last))]


def judged(info: FaultInfo, dialect: Dialect, told: dict[str, object], **how: Any) -> int:
    """How often our client did what the catalogue says that it must."""
    judgements = 0
    for calls in (False, True):
        steps = recorded(dialect, calls=calls)
        clean = outcome(lambda _, it=steps: iter(it), dialect)
        for at in places(info, steps, few=bool(how["is_async"] or told)):
            fault = built(info, at, told)
            if applied(fault, steps) != steps:
                heard = outcome(
                    lambda _, it=steps, to=fault: to(iter(it)), dialect, total_timeout=60.0, **how
                )
                assert as_expected(info, dialect, told, clean, heard), (at, calls, heard)
                judgements += 1
    return judgements


def as_expected(
    info: FaultInfo, dialect: Dialect, told: dict[str, object], clean: Any, heard: Any
) -> bool:
    due = expected(info, dialect)
    if isinstance(heard, Exception):
        return due != "tolerates" and isinstance(heard, APIError)
    if due == "undetectable":
        return True
    if told.get("how") == "incomplete":  # a reason that says so reaches the user
        return [it[:2] for it in heard] == [it[:2] for it in clean] and heard[0][2] == "length"
    if info.id == "sem.finish_abnormal" and heard != clean:
        reason = told["reason"] or "incomplete"  # what the Responses API says without one
        return [it[:2] for it in heard] == [it[:2] for it in clean] and heard[0][2] == reason
    if info.id == "sem.empty_success":
        return not heard[0][0] and heard[0][1:] == ([], "stop")
    return due != "raises" and heard == clean


@each_case
@pytest.mark.parametrize(
    ("is_async", "library"),
    [(False, httpx), (True, httpx2)],
    ids=["sync httpx", "async httpx2"],
)
def test_our_client_does_what_a_correct_client_must(
    info: FaultInfo, dialect: Dialect, told: dict[str, object], is_async: bool, library: Any
) -> None:
    own_word = told.get("reason") == "STOP" and dialect == "gemini" and not told["early"]

    assert judged(info, dialect, told, is_async=is_async, library=library) or own_word


@pytest.mark.parametrize(
    ("dialect", "told", "kind", "says"),
    [
        ("openai_chat", {}, InternalServerError, "overloaded"),
        ("openai_responses", {}, InternalServerError, "overloaded"),
        ("anthropic", {}, OverloadedError, "overloaded"),
        ("gemini", {}, ServiceUnavailableError, "overloaded"),
        ("openai_chat", {"code": "rate_limit_exceeded"}, RateLimitError, ""),
        ("openai_responses", {"code": "rate_limit_exceeded"}, RateLimitError, ""),
        ("openai_responses", {"type": "rate_limit_exceeded"}, RateLimitError, ""),
        ("anthropic", {"type": "rate_limit_error", "message": "Slow"}, RateLimitError, "Slow"),
        ("gemini", {"type": "RESOURCE_EXHAUSTED", "code": "429"}, RateLimitError, ""),
    ],
)
@pytest.mark.parametrize("then", ["end", "done", "goes_on"])
@pytest.mark.parametrize("number", ["first", 6])
def test_an_error_is_spokenin_the_words_of_the_dialect(  # noqa: PLR0917
    dialect: Dialect,
    told: dict[str, object],
    kind: type[APIError],
    says: str,
    then: str,
    number: Any,
) -> None:
    steps = recorded(dialect, calls=False)
    fault = built(ROWS["sem.error_event"], number, told | {"then": then})
    heard = outcome(lambda _: fault(iter(steps)), dialect)

    assert type(heard) is kind
    assert says in str(heard)
    if number == "first":
        first = Rule("sem.error_first", parameters=told | {"then": then}).build()
        assert applied(first, steps) == applied(fault, steps)


@pytest.mark.parametrize(
    ("reason", "meant"), [("length", "length"), ("STOP", "stop"), ("odd", "odd")]
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_abnormal_finish_reason_is_never_made_a_plain_one(
    dialect: Dialect, reason: str, meant: str
) -> None:
    steps = recorded(dialect, calls=False)
    fault = sem.FinishAbnormal(reason=reason)
    [(_, _, heard)] = outcome(lambda _: fault(iter(steps)), dialect)

    assert heard == meant


def calls_in(dialect: Dialect, steps: list[Step], **options: Any) -> Any:
    return outcome(lambda _: iter(steps), dialect, **options)


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "anthropic"])
def test_a_call_whose_arguments_were_cut_is_delivered_and_refused(dialect: Dialect) -> None:
    steps = applied(sem.ToolCut(), recorded(dialect, calls=True))
    error = calls_in(dialect, steps)
    [choice] = error.partial.choices
    first, last = choice.message.tool_calls

    assert type(error) is MalformedStreamError
    assert str(error) == "tool call 1 (get_weather): arguments are no JSON"
    assert json.loads(first.function.arguments) == {"location": "Paris"}
    assert last.function.arguments == '{"location": "Oslo"}'[:10]
    assert choice.finish_reason == "tool_calls"
    # Who is not strict gets them as they are, and a warning.
    assert isinstance(calls_in(dialect, steps, strict=False), json.JSONDecodeError)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_usage_counts_once_however_often_it_is_told(dialect: Dialect) -> None:
    decoded = {}
    for quirk in ("", *sem.USAGE.parameters[0].choices):
        steps = recorded(dialect, calls=False)
        told = applied(sem.Usage(quirk=quirk), steps) if quirk else steps
        decoder = ENCODERS[dialect].Decoder()
        chunks = [*decoder.feed(sent(told)), *decoder.finish()]
        usage = [chunk.usage for chunk in chunks if chunk.usage is not None]
        decoded[quirk] = usage[-1] if usage else None

    assert decoded.pop("missing") is None
    assert decoded[""].completion_tokens == 12
    assert all(it == decoded[""] for it in decoded.values())


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_what_is_put_in_is_written_as_its_neighbours_are(end: bytes) -> None:
    head = b"\xef\xbb\xbf: hello" + end * 2
    event = b'data: {"type":"message_start","message":{"id":"m"}}' + end * 2
    told = applied(sem.ErrorEvent(at=Event(1), then="goes_on"), [Head(200), Emit(head + event)])
    body = sent(told)

    assert body.startswith(head + b'data: {"type":"error"')  # and no name: the others have none
    assert body.endswith(end * 2 + event)
    assert body.replace(end, b"").isascii() is False
    assert not any(other in body.replace(end, b"") for other in (b"\r", b"\n"))


def test_a_block_that_is_no_event_stays_when_the_event_behind_it_goes() -> None:
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    script = [
        Head(200),
        Emit(b"retry: 1\n\n: a\n\n" + chunk + b": b\n\n" + b"data: [DONE]\n\n: c\n\n"),
    ]

    assert sent(applied(sem.Dropped(at=Event(1)), script)) == (
        b"retry: 1\n\n: a\n\n: b\n\ndata: [DONE]\n\n: c\n\n"
    )
    assert sent(applied(sem.DoneMissing(), script)) == (
        b"retry: 1\n\n: a\n\n" + chunk + b": b\n\n: c\n\n"
    )


def endless(dialect: Dialect, *, calls: bool) -> Iterator[Step]:
    """A stream that goes on with the event in its middle, or the first of a call's arguments."""
    steps = recorded(dialect, calls=calls)
    marks = (b'"arguments":"{', b'partial_json":"{', b'arguments.delta"', b"functionCall")
    middle = 2 + 2 * (len(steps) // 4)
    last = next(
        (
            index
            for index, step in enumerate(steps)
            if calls and isinstance(step, Emit) and any(mark in step.data for mark in marks)
        ),
        middle + 1,
    )
    yield from steps[: last + 1]
    while True:
        yield from (Wait(0.01), steps[last])


@each_case
def test_a_stream_without_end_is_spokenas_it_comes(
    info: FaultInfo, dialect: Dialect, told: dict[str, object]
) -> None:
    fault = built(info, 5 if info.places else None, told)
    for calls in (False, True):
        if calls and info.id not in {"sem.tool_cut", "sem.tool_delta"}:
            continue
        read = itertools.count()
        script = (step for step in endless(dialect, calls=calls) if next(read) >= 0)
        list(itertools.islice(fault(script), 100))

        # Calls are held back until they are whole, but not for ever.
        assert next(read) < (25_000 if calls else 250)


JUNK = (None, 0, "", "x", True, [], {}, [None], [{}], {"type": "x"})


def inner_places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every list or object in *value* with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[call-overload]
    for key, item in items:
        yield value, key
        if isinstance(item, dict | list):
            yield from inner_places(item)


@st.composite
def odd_streams(draw: st.DrawFn) -> tuple[Dialect, list[Step]]:
    """A stream in which some values are of types that nobody expects there."""
    dialect = draw(st.sampled_from(IN_SSE))
    steps = recorded(dialect, calls=True)
    for _ in range(draw(st.integers(1, 4))):
        number = draw(st.integers(1, len(steps) // 2 - 1)) * 2 + 1
        head, data, tail = steps[number].data.partition(b"data: ")  # type: ignore[union-attr]
        if tail.startswith(b"["):
            continue
        value = json.loads(tail)
        holder, key = draw(st.sampled_from(list(inner_places(value)) or [({}, 0)]))
        holder[key] = draw(st.sampled_from(JUNK))
        steps[number] = Emit(head + data + json.dumps(value).encode() + b"\n\n")
    return dialect, steps


@settings(max_examples=3_000 if SOAK else 300)
@given(st.sampled_from(list(ROWS.values())), odd_streams(), st.data())
def test_a_fault_raises_nothing_whatever_the_events_hold(
    info: FaultInfo, stream_of: tuple[Dialect, list[Step]], data: st.DataObject
) -> None:
    _, steps = stream_of
    number = data.draw(st.integers(1, 20)) if info.places else None
    fault = built(info, number, data.draw(st.sampled_from(quirks(info))))
    heard = applied(fault, steps)

    assert heard[:2] == steps[:2]


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic", "gemini"])
def test_a_loop_ends_with_the_deadline(dialect: Dialect) -> None:
    steps = recorded(dialect, calls=False)
    fault = sem.Loop(at=Event(5), every=0.5)
    heard = outcome(lambda _: fault(iter(steps)), dialect, total_timeout=10.0)

    assert type(heard) is Timeout
    assert heard.phase == "total"


def test_numbers_show_what_nothing_else_does() -> None:
    steps = recorded("openai_responses", calls=False)
    for fault in (sem.Dropped, sem.Duplicated, sem.Reordered):
        heard = outcome(lambda _, it=fault: it(at=Event(7))(iter(steps)), "openai_responses")

        assert type(heard) is StreamProtocolError
        assert "events were" in str(heard)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sem.ErrorEvent(at=3), "at is 3; it can be an Event"),
        (lambda: sem.Dropped(at=Event(3, inside="utf8")), "leave out inside=utf8"),
        (lambda: sem.Ping(at=Event(3, after=True)), "leave out after"),
        (lambda: sem.Reordered(at=Event("last")), "there must be one after it"),
        (lambda: sem.ErrorEvent(at=Event(3), then="stops"), "then is 'stops'; it can be end, done, goes_on"),
        (lambda: sem.ErrorDetail(at=Event(3), then="goes_on"), "it can be end, done"),
        (lambda: sem.ErrorWithChoices(at=Event(3), quirk="none"), "it can be finish_reason, empty_choices"),
        (lambda: sem.ResponsesTerminal(how="cut"), "it can be missing, incomplete, failed"),
        (lambda: sem.FinishAbnormal(reason=None), "reason is None; it can be a text"),
        (lambda: sem.FinishAbnormal(early="maybe"), "it can be true or false"),
        (lambda: sem.ToolDelta(quirk="missing_idx"), "nearest: missing_id"),
        (lambda: sem.Usage(quirk="none"), "it can be missing, null_each"),
        (lambda: sem.Order(quirk="reversed"), "it can be delta_before_start, second_start"),
        (lambda: sem.Loop(at=Event(3), every=0), "every is 0; it can be a number of seconds, above 0"),
        (lambda: sem.EmptyChoices(at=Event(3), how="gone"), "it can be empty, null, missing"),
        (lambda: sem.NullDelta(at=Event(3), how="empty"), "it can be missing, null"),
        (lambda: sem.ContentShape(quirk="long"), "it can be null, empty, parts"),
        (lambda: sem.UnknownEvent(at=Event(3), quirk="type"), "it can be event, delta, field"),
        (lambda: sem.LateContent(quirk="late"), "it can be after_finish, finish_twice"),
        (lambda: Rule("sem.error_event"), "sem.error_event takes a place"),
        (lambda: Rule("sem.tool_cut", at=Event(3)), "sem.tool_cut takes no place"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_what_would(make: Any, words: str) -> None:
    with pytest.raises(PlanError) as refused:
        make()

    assert words in str(refused.value)


@pytest.mark.parametrize("then", ["end", "goes_on"])
@pytest.mark.parametrize("dialect", IN_SSE)
@given(data=st.data(), count=st.integers(1, 30))
def test_an_error_can_come_after_so_much_text(
    dialect: Dialect, then: str, data: st.DataObject, count: int
) -> None:
    steps = data.draw(streams([dialect]))
    clean = events_in(steps)
    said = list(itertools.accumulate(len(text_in(seen.value, dialect)) for seen in clean))
    before = next(n for n, length in enumerate(said, 1) if length >= count)
    fault = parse(f"sem.error_event@after_text={count},then={then}")

    told = [seen.raw for seen in events_in(fault(iter(steps)))]

    raw = [seen.raw for seen in clean]
    assert told[:before] == raw[:before]
    assert told[before] != raw[before]
    assert told[before + 1 :] == (raw[before:] if then == "goes_on" else [])
