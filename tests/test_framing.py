"""What HTTP makes of a script: bodies that end where their head says so, or do not."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from breaking import Scripted
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.cassette.model import Ending, How, Interaction, Request, Response
from cassette_stream.faults import Byte, Event, Injector, Rule, plan_of
from cassette_stream.replayer import script_of
from cassette_stream.script import (
    Emit,
    Fail,
    FailureKind,
    Framing,
    Head,
    Step,
    Wait,
    framed,
    framing_of,
)
from cassette_stream.server import LoopbackServer
from cassette_stream.transport.httpx import sync_transport

if TYPE_CHECKING:
    from cassette_stream.script import Script

FIN, SHORT, RESET = map(Fail, (FailureKind.FIN, FailureKind.SHORT_BODY, FailureKind.RESET))


def seen(*steps: Step, **more: Any) -> list[Step]:
    return list(framed(iter(steps), **more))


def head(*fields: tuple[str, str], version: str = "HTTP/1.1", status: int = 200) -> Head:
    return Head(status, fields, version)


def sized(size: object) -> Head:
    return head(("content-length", str(size)))


def short(received: int, expected: int) -> Fail:
    return Fail(
        FailureKind.SHORT_BODY,
        "peer closed connection without sending complete message body "
        f"(received {received} bytes, expected {expected})",
    )


steps_of_a_body = st.lists(
    st.builds(Emit, st.binary(max_size=5)) | st.builds(Wait, st.floats(0, 2)), max_size=8
)
unmeasured = st.sampled_from(
    [
        head(),
        head(("transfer-encoding", "chunked"), ("content-length", "1")),
        head(("connection", "close")),
        head(version="HTTP/1.0"),
        head(version="HTTP/2"),
        sized("many"),
    ]
)
ends = st.sampled_from([(), (RESET,), (Fail(FailureKind.FIN, "in other words"),)])


@given(start=st.floats(0, 2), first=unmeasured, body=steps_of_a_body, end=ends)
def test_a_body_that_promises_nothing_comes_as_it_is(
    start: float, first: Head, body: list[Step], end: tuple[Step, ...]
) -> None:
    steps = (Wait(start), first, *body, *end)

    assert seen(*steps) == list(steps)


@given(body=steps_of_a_body, promised=st.integers(0, 30))
def test_a_client_never_sees_more_than_was_promised_and_is_told_of_less(
    body: list[Step], promised: int
) -> None:
    told = seen(sized(promised), *body)
    data = b"".join(step.data for step in body if isinstance(step, Emit))
    got = b"".join(step.data for step in told if isinstance(step, Emit))
    enough = len(data) >= promised

    assert got == data[:promised]
    assert told[-1] == (told[-1] if enough else short(len(data), promised))
    assert any(isinstance(step, Fail) for step in told) is not enough
    without_end = [step for step in told if not isinstance(step, Fail)]
    for step, original in zip(without_end[1:-1], body, strict=False):
        assert step == original


heads = st.one_of(st.none(), unmeasured, st.builds(sized, st.integers(0, 30)))


@given(first=heads, body=steps_of_a_body, version=st.sampled_from(["HTTP/1.1", "HTTP/2"]))
def test_who_cannot_tell_a_reset_from_an_end_sees_an_end(
    first: Head | None, body: list[Step], version: str
) -> None:
    steps = [] if first is None else [first, *body]
    blind = seen(*steps, RESET, http_version=version, reset_is_end=True)

    assert blind == seen(*steps, FIN, http_version=version)
    assert blind == seen(*steps, Fail(FailureKind.NO_RESPONSE), http_version=version)
    assert RESET not in blind
    told = Fail(FailureKind.RESET, "in other words")
    assert seen(told, reset_is_end=True) == [told]


@pytest.mark.parametrize("end", [FIN, Fail(FailureKind.NO_RESPONSE)], ids=str)
def test_before_any_head_an_end_is_told_in_the_words_of_the_version(end: Fail) -> None:
    (http1,), (http2,) = seen(end), seen(end, http_version="HTTP/2")

    assert http1 == Fail(FailureKind.NO_RESPONSE)
    assert http2 == Fail(FailureKind.PROTOCOL_ERROR, "Server disconnected")


CASES: dict[str, tuple[list[Step], list[Step]]] = {
    "closed before the head": ([Wait(1), FIN], [Wait(1), Fail(FailureKind.NO_RESPONSE)]),
    "reset before the head": ([RESET], [RESET]),
    "closed within chunks": ([head(), Emit(b"a"), SHORT], [head(), Emit(b"a"), FIN]),
    "closed within a length": ([sized(3), Emit(b"a"), FIN], [sized(3), Emit(b"a"), short(1, 3)]),
    "closed after a length": ([sized(1), Emit(b"a"), FIN], [sized(1), Emit(b"a")]),
    "reset after a length": ([sized(1), Emit(b"a"), RESET], [sized(1), Emit(b"a")]),
    "closed at the end": (
        [head(version="HTTP/1.0"), Emit(b"a"), FIN],
        [head(version="HTTP/1.0"), Emit(b"a")],
    ),
    "closed under http/2": (
        [head(version="HTTP/2"), FIN],
        [head(version="HTTP/2"), Fail(FailureKind.PROTOCOL_ERROR, "Server disconnected")],
    ),
    "a length of nothing": ([sized(0), Wait(1), Emit(b"a")], [sized(0)]),
    "a status without a body": (
        [head(("content-length", "3"), status=304), Emit(b"a")],
        [head(("content-length", "3"), status=304)],
    ),
    "within a chunk": (
        [head(), Fail(FailureKind.FIN, raw=b"a\r\nbcd")],
        [head(), Emit(b"bcd"), Fail(FailureKind.FIN, raw=b"a\r\nbcd")],
    ),
    "before the data of a chunk": (
        [head(), Fail(FailureKind.FIN, raw=b"a\r\n")],
        [head(), Fail(FailureKind.FIN, raw=b"a\r\n")],
    ),
    "behind a chunk": (
        [head(), Fail(FailureKind.PROTOCOL_ERROR, "bad", b"2\r\nbc {")],
        [head(), Emit(b"bc"), Fail(FailureKind.PROTOCOL_ERROR, "bad", b"2\r\nbc {")],
    ),
    "bytes instead of a head": (
        [Fail(FailureKind.PROTOCOL_ERROR, "bad", b"2\r\nbc {")],
        [Fail(FailureKind.PROTOCOL_ERROR, "bad", b"2\r\nbc {")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_client_sees(case: str) -> None:
    steps, wanted = CASES[case]

    assert seen(*steps) == wanted


def test_an_answer_to_head_has_a_length_and_no_body() -> None:
    assert seen(sized(5), Wait(1), method="HEAD") == [sized(5)]


@pytest.mark.parametrize(
    ("first", "framing"),
    [
        (head(), Framing.CHUNKED),
        (head(("Content-Length", "1")), Framing.LENGTH),
        (head(("content-length", "1"), ("transfer-encoding", "chunked")), Framing.CHUNKED),
        (head(("connection", "Close")), Framing.UNTIL_CLOSE),
        (head(("connection", "close"), ("content-length", "1")), Framing.LENGTH),
        (head(version="HTTP/1.0"), Framing.UNTIL_CLOSE),
        (head(status=204), Framing.NO_BODY),
    ],
)
def test_the_head_says_how_the_body_is_framed(first: Head, framing: Framing) -> None:
    assert framing_of(first) is framing
    assert framing_of(first, method="HEAD") is Framing.NO_BODY
    if framing is Framing.CHUNKED and not first.headers:
        assert framing_of(first, client_version="HTTP/1.0") is Framing.UNTIL_CLOSE


def test_no_more_is_read_than_the_client_waits_for() -> None:
    left = iter([sized(1), Emit(b"ab"), Emit(b"c")])

    assert list(framed(left)) == [sized(1), Emit(b"a")]
    assert list(left) == [Emit(b"c")]


def recorded(body: bytes, promised: int, **more: Any) -> Interaction:
    return Interaction(
        recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        request=Request(method="POST", url="http://127.0.0.1/any"),
        response=Response(
            status=200,
            headers={"content-length": (str(promised),)},
            body=body,
            sizes=array("q", [len(body)] if body else []),
            gaps_us=array("q", [0] if body else []),
            **more,
        ),
    )


CLOSED = Ending(how=How.CLOSED_BY_CALLER)


@pytest.mark.parametrize(
    ("interaction", "promised"),
    [
        (recorded(b"abc", 99), "3"),
        (recorded(b"", 99), "99"),  # the answer to HEAD
        (recorded(b"abc", 99, ending=CLOSED), "99"),
    ],
    ids=["changed since", "no body", "not read to its end"],
)
def test_a_replay_promises_the_length_that_it_keeps(
    interaction: Interaction, promised: str
) -> None:
    assert next(script_of(interaction)) == sized(promised)


def test_a_body_that_was_shortened_since_is_played_whole_on_a_socket() -> None:
    with LoopbackServer() as server:
        server.play([recorded(b"abc", 99)])

        assert httpx.post(f"{server.url}/any").content == b"abc"


def replayed(rule: Rule, interaction: Interaction) -> httpx.Response:
    injector = Injector(plan_of(rule))
    desk = Scripted(lambda request: injector.rewrite(script_of(interaction), request, 0))
    unused = httpx.MockTransport(lambda _: httpx.Response(500))
    with httpx.Client(transport=sync_transport(httpx, desk, unused)) as client:
        return client.post("http://127.0.0.1/any")


EVENT = b'data: {"text":"abc"}\n\n'


def test_what_changes_words_breaks_no_promise_of_a_length() -> None:
    response = replayed(Rule("json.cut", at=Event(1)), recorded(EVENT, len(EVENT)))

    assert response.content == b'data: {"text"\n\n'
    assert "content-length" not in response.headers


def test_so_does_a_fault_of_ones_own() -> None:
    def shout(script: Script) -> Script:
        for step in script:
            yield Emit(step.data.upper() * 2) if isinstance(step, Emit) else step

    response = replayed(Rule(shout), recorded(EVENT, len(EVENT)))

    assert response.content == EVENT.upper() * 2


def test_a_fault_of_ones_own_that_lies_about_the_length_is_believed() -> None:
    def lie(script: Script) -> Script:
        for step in script:
            yield sized(4) if isinstance(step, Head) else step

    assert replayed(Rule(lie), recorded(EVENT, len(EVENT))).content == EVENT[:4]


def test_what_closes_a_body_of_known_length_breaks_its_promise() -> None:
    with pytest.raises(httpx.RemoteProtocolError) as raised:
        replayed(Rule("body.fin", at=Byte(5)), recorded(EVENT, len(EVENT)))

    assert str(raised.value) == short(5, len(EVENT)).detail
