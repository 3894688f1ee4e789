"""Places: each is one exact place, whatever the network made of the stream, and found no later."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from breaking import ENCODERS, IN_SSE, answer
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import SOAK
from test_faults import apply, chunked, events_of, offset_of, places, scripts, sent, values

from cassette_stream import faults
from cassette_stream.cassette.json_path import below, parse_path, same_json, values_at
from cassette_stream.exceptions import PlanError
from cassette_stream.faults import AfterText, Byte, Chunk, Event, Place, Time, When
from cassette_stream.faults.dialect import dialect_of, text_in
from cassette_stream.faults.inside import INSIDES, offset_inside
from cassette_stream.faults.seek import seek, why_missing
from cassette_stream.faults.seekers import is_terminal
from cassette_stream.script import Emit, Fail, FailureKind, Head, Step, Wait
from cassette_stream.wire.sse import SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cassette_stream.wire.sse import LocatedEvent

some = settings(max_examples=1000 if SOAK else 60, deadline=None)

TYPES = ("message", "message_stop", "content_block_delta", "response.output_text.delta", "none")
PATHS = ("choices[0].delta.content", "choices[*].finish_reason", "type", "$.index", "[*]")


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """The body of an answer in one of the dialects, with any line ends, comments, and a loose end."""
    body = b"".join(ENCODERS[draw(st.sampled_from(IN_SSE))].encode(answer()))
    body = body.replace(b"\r\n", b"\n")
    if draw(st.booleans()):
        body = b": hello\n\n" + body.replace(b"\n\n", b"\n\n: still here\n\n", 3)
    body += draw(st.sampled_from([b"", b"data: {", b'data: {"type":"message_stop"}\n']))
    return body.replace(b"\n", draw(st.sampled_from([b"\n", b"\r\n", b"\r"])))


def scripted(draw: st.DrawFn, body: bytes) -> list[Step]:
    cuts = draw(st.lists(st.integers(0, len(body)), max_size=8))
    steps: list[Step] = [Wait(0.25), Head(200)]
    for chunk in chunked(body, cuts):
        steps += [Wait(draw(st.sampled_from([0.0, 0.25, 1.5]))), Emit(chunk)]
    return steps


told = st.composite(lambda draw: scripted(draw, draw(answers())))()
paths = st.builds(
    When,
    st.sampled_from(PATHS),
    st.sampled_from(["stop", "Gr", "message_stop", "message_start", 0, True, None, 12]),
)
event_places = (
    st.builds(
        Event,
        st.integers(1, 9) | st.integers(-9, -1) | st.sampled_from(["first", "last"]),
        type=st.none() | st.sampled_from(TYPES),
        inside=st.none() | st.sampled_from(INSIDES),
    )
    | st.builds(
        Event, st.integers(1, 9), type=st.none() | st.sampled_from(TYPES), after=st.just(True)
    )
    | st.builds(Event, st.just("terminator"), after=st.booleans())
    | st.builds(AfterText, st.integers(1, 60))
    | paths
)


def value_of(event: LocatedEvent) -> Any:
    try:
        return json.loads(event.data)
    except ValueError:
        return None


def candidates(place: Place, events: list[LocatedEvent]) -> list[LocatedEvent]:
    """The events that *place* is about, in order."""
    match place:
        case Event("terminator"):
            return [it for it in events if is_terminal(it.event, it.data)]
        case Event(type=None):
            return events
        case Event(type=kind):
            found = [(it, value_of(it)) for it in events]
            return [
                it
                for it, value in found
                if it.event == kind or (isinstance(value, dict) and value.get("type") == kind)
            ]
        case When(path, value):
            wanted = parse_path(path)
            return [
                it
                for it in events
                if any(same_json(value, its) for its in values_at(value_of(it), wanted))
            ]
    assert isinstance(place, AfterText)
    dialect = dialect_of(map(value_of, events))
    lengths = itertools.accumulate(
        len(text_in(value_of(it), dialect)) if dialect else 0 for it in events
    )
    return [it for it, length in zip(events, lengths, strict=True) if length >= place.n]


def expected(place: Place, body: bytes) -> int | None:
    """Where *place* is in *body*, told by a decoder that sees it whole."""
    found = candidates(place, events_of(body))
    n = {"first": 1, "last": -1, "terminator": 1}.get(*[getattr(place, "n", 1)] * 2)
    n = n if isinstance(place, Event) else 1
    if not (1 <= n <= len(found) or 1 <= -n <= len(found)):
        return None
    event = found[n - 1 if n > 0 else n]
    if isinstance(place, AfterText) or (isinstance(place, Event) and place.after):
        return event.end
    if not isinstance(place, Event) or place.inside is None:
        return event.start
    offset = offset_inside(body[event.start : event.end], place.inside)
    return None if offset is None else event.start + offset


@some
@given(event_places, told)
def test_a_place_is_where_a_decoder_of_the_whole_body_finds_it(
    place: Place, script: list[Step]
) -> None:
    assert offset_of(place, script) == expected(place, sent(script))


@some
@given(event_places | places | st.builds(Time, st.sampled_from([0, 0.25, 0.3, 2.0, 99])), told)
def test_a_script_without_the_place_is_left_whole_and_it_is_said_why(
    place: Place, script: list[Step]
) -> None:
    why = why_missing(iter(script), place)
    looking = seek(source := iter(script), place)
    before, found = exhausted(looking)

    assert (found is None) == (why is not None)
    if found is None:
        assert before == script
        assert apply(faults.body.Fin(at=place), script) == script
    else:
        first, second = found.split()
        whole = [*before, *first, *second, *source]
        assert sent(whole) == sent(script)
        assert [it for it in whole if isinstance(it, Head)] == [Head(200)]
        assert sum(it.seconds for it in whole if isinstance(it, Wait)) == pytest.approx(
            sum(it.seconds for it in script if isinstance(it, Wait))
        )


def exhausted(looking: Any) -> tuple[list[Step], Any]:
    steps = []
    while True:
        try:
            steps.append(next(looking))
        except StopIteration as end:
            return steps, end.value


@some
@given(event_places, told)
def test_no_step_is_read_after_the_one_that_completes_the_event(
    place: Place, script: list[Step]
) -> None:
    n = place.n if isinstance(place, Event) and isinstance(place.n, int) else 1
    wanted = n if n > 0 and place != Event("last") and getattr(place, "n", 1) != "last" else None
    decoder = SSEDecoder(offsets=True, errors="replace")
    events: list[LocatedEvent] = []
    known = None
    for read, step in enumerate(script, 1):
        events += decoder.feed(step.data) if isinstance(step, Emit) else ()
        if known is None and wanted is not None and len(candidates(place, events)) >= wanted:
            known = read
    source = iter(script)
    _, found = exhausted(seek(source, place))
    left = len(list(source))

    if found is not None and known is not None:
        assert left == len(script) - known
    elif expected(place, sent(script)) is None and known is None:
        assert left == 0


@some
@given(scripts(), st.sampled_from([0, 0.5, 1, 2]))
def test_a_moment_is_found_by_the_waits_before_it(script: list[Step], seconds: float) -> None:
    source = iter(script)
    before, found = exhausted(seek(source, Time(seconds)))
    waited = sum(it.seconds for it in before if isinstance(it, Wait))

    if found is None:
        assert before == script
        assert waited < seconds
    else:
        assert waited == pytest.approx(seconds)
        assert found.split() == ([], list(found.steps))


@pytest.mark.parametrize("count", range(1, 40))
def test_a_moment_is_found_although_tenths_do_not_add_up(count: int) -> None:
    script: list[Step] = [Wait(0.1)] * count
    seconds = 0.0
    for _ in range(count):
        seconds += 0.1

    assert why_missing(iter(script), Time(seconds)) is None
    assert exhausted(seek(iter(script), Time(seconds)))[1] is not None
    assert why_missing(iter(script), Time(seconds + 1)) == (
        f"the stream is over after {seconds:g} s"
    )


@pytest.mark.parametrize("seconds", [0, 1.0])
def test_a_moment_that_has_come_is_before_the_next_step(seconds: float) -> None:
    script = [*([Wait(0.5)] * 3 if seconds else []), Head(200), Emit(b"a")]
    before, found = exhausted(seek(source := iter(script), Time(seconds)))
    first, second = found.split()

    assert (before, first) == (script[:2] * bool(seconds), [])
    assert [*second, *source] == script[len(before) :]


def test_a_moment_behind_a_failure_is_none() -> None:
    script = [Head(200), Fail(FailureKind.RESET), Wait(5)]

    assert list(faults.body.Fin(at=Time(1))(iter(script))) == script[:2]


@pytest.mark.parametrize(
    "at",
    [Event(1, type="error"), Event(-1, type="error"), Event(3, type="error"), AfterText(10**6),
     When("choices[0].finish_reason", "length"), Event("terminator"), Byte(10**9), Time(1)],
    ids=str,
)  # fmt: skip
def test_a_stream_flows_on_while_the_place_is_looked_for(at: Place) -> None:
    read = itertools.count()
    chunk = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'
    script = (Emit(chunk) for _ in iter(lambda: next(read), -1))
    told = list(itertools.islice(faults.body.Fin(at=at)(script), 20))

    assert told == [Emit(chunk)] * 20
    assert next(read) <= 21


@pytest.mark.parametrize(
    "at",
    [Event(2), Event(1, type="message"), Event(1, after=True), AfterText(1), Byte(30), Chunk(2),
     When("choices[0].index", 0), Time(0.5)],
    ids=str,
)  # fmt: skip
def test_what_comes_after_the_place_may_never_end(at: Place) -> None:
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
    script = itertools.chain([Head(200)], itertools.cycle([Wait(0.25), Emit(chunk)]))
    told = list(itertools.islice(faults.body.Stall(at=at, seconds=7)(script), 50))

    assert told.count(Wait(7)) == 1


def test_comments_without_end_are_not_held_for_ever() -> None:
    script = itertools.chain([Head(200), Emit(b"data: 1\n\n")], itertools.repeat(Emit(b":\n\n")))
    told = faults.body.Fin(at=Event(-1))(script)

    assert list(itertools.islice(told, 3)) == [Head(200), Emit(b"data: 1\n\n"), Emit(b":\n\n")]
    assert list(itertools.islice(told, 200_000)) == [Emit(b":\n\n")] * 200_000


def test_a_place_needs_a_response() -> None:
    assert why_missing(iter([Wait(1), Fail(FailureKind.DNS)]), Byte(0)) == "there is no response"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (Event(3, type="ping"), "the stream has 1 event of the type ping"),
        (Event(-2, type="ping"), "the stream has 1 event of the type ping"),
        (AfterText(1), "the stream is of no dialect that is known (openai_chat, openai_responses, anthropic, gemini, cohere, ollama, bedrock_converse)"),
        (When("type", "pong"), 'the stream has no event with when=type=="pong"'),
        (Time(1), "the stream is over after 0 s"),
        (Event(2, inside="blank_line"), None),
    ],
    ids=str,
)  # fmt: skip
def test_why_there_is_no_such_place(place: Place, why: str | None) -> None:
    script = [Head(200), Emit(b'event: ping\ndata: {"type":"ping"}\n\ndata: 1\n\n')]

    assert why_missing(iter(script), place) == why


def test_text_is_counted_in_characters_of_the_answer() -> None:
    body = b'data: {"choices":[{"delta":{"content":"\\ud83c\\udf89a"}}]}\n\n'
    script = [Head(200), Emit(body * 2)]

    assert offset_of(AfterText(2), script) == len(body)
    assert offset_of(AfterText(3), script) == 2 * len(body)
    assert why_missing(iter(script), AfterText(5)) == "the answer has 4 characters"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Event(1, type=""), "type is ''; it can be the type of an event"),
        (lambda: Event(1, type=5), "type is 5"),
        (lambda: Event(1, after="yes"), "after is 'yes'; it can be true or false"),
        (lambda: Event(1, after=True, inside="json"), "a place after event 1 is not inside it"),
        (lambda: Event("terminator", type="x"), "the terminator has its own type: leave out type=x"),
        (lambda: AfterText(0), "after_text is 0"),
        (lambda: AfterText(-1), "after_text is -1; characters are counted from 1"),
        (lambda: Time(-1), "time is -1; it can be from 0 seconds on"),
        (lambda: Time(float("nan")), "time is nan"),
        (lambda: Time(float("inf")), "time is inf"),
        (lambda: Time(True), "time is True; it can be a number of seconds"),
        (lambda: When("a b", 1), "when: 'a b' is no path into JSON"),
        (lambda: When("a,b", 1), "when: 'a,b' has a comma or an equals sign in a name"),
        (lambda: When("a=b", 1), "has a comma or an equals sign in a name"),
        (lambda: When("a", [1]), r"when: \[1\] is no text, number, true, false or null"),
        (lambda: When("a", float("nan")), "when: nan is no text"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_is_refused_with_words(make: Any, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        make()


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if path:
        yield path, tree
    steps = tree.items() if isinstance(tree, dict) else ()
    steps = enumerate(tree) if isinstance(tree, list) else steps
    for step, value in steps:
        yield from leaves(value, below(path, step))


@some
@given(values)
@example({"": {'"': [{"a.b": 1}], "x=y": {"c,d": True}}})
def test_a_path_names_the_one_value_that_it_leads_to(tree: Any) -> None:
    for path, value in leaves(tree):
        assert values_at(tree, parse_path(path)) == [value]


@some
@given(values)
def test_stars_name_everything_one_step_below(tree: Any) -> None:
    items = (
        list(tree.values()) if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    )

    assert values_at(tree, parse_path("[*]")) == values_at(tree, parse_path("*")) == items
    assert values_at(tree, parse_path("[-1]")) == (items[-1:] if isinstance(tree, list) else [])
    assert values_at(tree, parse_path("[99]")) == []


@some
@given(st.text('ab.[]*"0-1\\$, ='))
@example('["\\a"]')
@example('["\n"]')
def test_what_is_no_path_is_a_value_error_and_nothing_else(text: str) -> None:
    try:
        path, refused = parse_path(text), ""
    except ValueError as error:
        path, refused = (), str(error)

    assert path or "is no path into JSON" in refused


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, True), (1, True, False), ([True], [1], False), ({"a": [0]}, {"a": [0.0]}, True),
     ({"a": False}, {"a": 0}, False), ([1], [1, 2], False), (None, None, True), ("1", 1, False)],
)  # fmt: skip
def test_values_are_the_same_as_in_json(one: Any, other: Any, *, same: bool) -> None:
    assert same_json(one, other) is same
