from __future__ import annotations

import gzip
import math
import zlib
from datetime import UTC, datetime
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cassette_stream.cassette.model import Ending, How, Interaction, Request, Response
from cassette_stream.recorder import Recorder
from cassette_stream.replayer import script_of
from cassette_stream.script import Emit, Fail, FailureKind, Head, Wait, timeline
from cassette_stream.transport.headers import headers_of

DATE = datetime(2026, 11, 23, 9, 30, 12, 401000, tzinfo=UTC)
REQUEST = Request(method="POST", url="https://api.test/v1/chat", body=b"{}")

heard = st.lists(
    st.tuples(st.floats(0, 5, allow_subnormal=False), st.binary(max_size=8)), max_size=10
)


def recorded(
    chunks: list[tuple[float, bytes]],
    how: How = How.COMPLETE,
    headers: dict[str, tuple[str, ...]] | None = None,
    **ending: object,
) -> Response:
    """A recording of *chunks*, each with the seconds since the one before."""
    recorder = Recorder(REQUEST, recorded_at=DATE, at=100.0)
    recorder.head(200, headers or {}, at=100.25)
    at = 100.25
    for gap, data in chunks:
        at += gap
        recorder.hear(data, at)
    response = recorder.finish(how, at=at + 0.5, **ending).response
    assert response is not None
    return response


@given(heard)
def test_every_byte_is_kept_with_its_boundaries(chunks: list[tuple[float, bytes]]) -> None:
    response = recorded(chunks)

    assert [frame.data for frame in response.frames()] == [data for _, data in chunks]
    assert response.body == b"".join(data for _, data in chunks)


@given(heard, st.floats(0, 5), st.sampled_from([How.COMPLETE, How.CLOSED_BY_CALLER]))
def test_a_caller_who_did_not_time_out_does_not_in_the_replay(
    chunks: list[tuple[float, bytes]], read: float, how: How
) -> None:
    response = recorded(chunks, how, read=read)
    interaction = Interaction(recorded_at=DATE, request=REQUEST, response=response)
    kinds = {
        thing.kind
        for _, thing in timeline(script_of(interaction), read=read)
        if isinstance(thing, Fail)
    }

    assert kinds == (set() if how is How.COMPLETE else {FailureKind.RECORDING_ENDED})


@pytest.mark.parametrize("kind", [FailureKind.CONNECT_TIMEOUT, FailureKind.POOL_TIMEOUT])
def test_nor_does_one_whose_connection_failed_later_than_he_would_read(kind: FailureKind) -> None:
    recorder = Recorder(REQUEST, recorded_at=DATE, at=100.0)
    interaction = recorder.finish(How.FAILURE, at=110.0, failure=kind, message="x", read=0.57)

    assert [thing for _, thing in timeline(script_of(interaction), read=0.57)] == [Fail(kind, "x")]


@given(heard)
def test_rounding_does_not_add_up(chunks: list[tuple[float, bytes]]) -> None:
    moments = list(accumulate((gap for gap, _ in chunks), initial=100.25))[1:]
    kept = list(accumulate(recorded(chunks).gaps_us))

    assert all(
        math.isclose(us / 1e6, moment - 100.25, abs_tol=0.6e-6)
        for us, moment in zip(kept, moments, strict=True)
    )


@given(heard, st.sampled_from(How))
def test_a_faithful_script_tells_what_was_heard(
    chunks: list[tuple[float, bytes]], how: How
) -> None:
    failure = FailureKind.RESET if how is How.FAILURE else None
    response = recorded(chunks, how, failure=failure, message="gone" if failure else "")
    script = list(script_of(Interaction(recorded_at=DATE, request=REQUEST, response=response)))
    waits = sum(step.seconds for step in script if isinstance(step, Wait))
    expected = 0.25 + sum(response.gaps_us) / 1e6 + (0 if how is How.COMPLETE else 0.5)

    assert [step.data for step in script if isinstance(step, Emit)] == [data for _, data in chunks]
    assert math.isclose(waits, expected, abs_tol=1e-5)
    assert isinstance(script[-1], Fail) is (how is not How.COMPLETE)


@given(st.lists(st.binary(max_size=30), max_size=6), st.sampled_from(["gzip", "deflate", "x-gzip"]))
def test_a_coding_is_undone_frame_by_frame(texts: list[bytes], coding: str) -> None:
    coder = zlib.compressobj(wbits=15 if coding == "deflate" else 31)
    chunks = [coder.compress(text) + coder.flush(zlib.Z_SYNC_FLUSH) for text in texts]
    chunks.append(coder.flush())
    headers = {"content-encoding": (coding,), "content-length": ("9",), "x": ("1", "2")}
    response = recorded([(0.1, chunk) for chunk in chunks], headers=headers)
    head = next(
        step
        for step in script_of(Interaction(recorded_at=DATE, request=REQUEST, response=response))
        if isinstance(step, Head)
    )

    assert [frame.data for frame in response.frames()] == [*texts, b""]
    assert response.removed_coding == coding
    assert response.headers == headers
    assert head.headers == (("x", "1"), ("x", "2"))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"data: 1\n\n")[:-3]),
        ("gzip", b"data: 1\n\n"),
        ("gzip", gzip.compress(b"a") + b"trailing"),
        ("br", b"\x0b\x02\x80data\x03"),
        ("gzip, br", gzip.compress(b"a")),
    ],
    ids=["cut", "a lie", "with more behind it", "unknown", "two"],
)
def test_a_coding_that_does_not_decode_to_its_end_stays(coding: str, body: bytes) -> None:
    response = recorded([(0, body)], headers={"content-encoding": (coding,)})

    assert response.body == body
    assert response.removed_coding is None
    assert response.headers["content-encoding"] == (coding,)


@pytest.mark.parametrize(
    ("status", "reason", "kept"),
    [(200, "OK", None), (200, "Fine", "Fine"), (200, None, None), (299, "", None), (299, "X", "X")],
)
def test_a_standard_reason_phrase_is_not_kept(
    status: int, reason: str | None, kept: str | None
) -> None:
    recorder = Recorder(REQUEST, recorded_at=DATE, at=0)
    recorder.head(status, {}, at=0, reason=reason)
    response = recorder.finish(How.COMPLETE, at=0).response

    assert response is not None
    assert response.reason == kept


def test_without_a_head_there_is_a_failure_and_no_response() -> None:
    recorder = Recorder(REQUEST, recorded_at=DATE, at=1.0)
    interaction = recorder.finish(
        How.FAILURE, at=3.5, failure=FailureKind.CONNECT_TIMEOUT, message="timed out"
    )

    assert interaction.response is None
    assert interaction.failure == Ending(
        how=How.FAILURE,
        after_us=2_500_000,
        failure=FailureKind.CONNECT_TIMEOUT,
        message="timed out",
    )
    assert list(script_of(interaction)) == [
        Wait(2.5),
        Fail(FailureKind.CONNECT_TIMEOUT, "timed out"),
    ]


def test_an_interaction_of_nothing_has_no_script() -> None:
    with pytest.raises(ValueError, match="neither"):
        list(script_of(Interaction(recorded_at=DATE, request=REQUEST)))


def test_header_lines_are_grouped_by_name_in_order() -> None:
    pairs = [(b"B", b"1"), (b"a", b"2"), (b"b", b"\xe9")]

    assert list(headers_of(pairs).items()) == [("b", ("1", "é")), ("a", ("2",))]
