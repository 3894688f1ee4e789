"""NDJSON and AWS frames under faults: the same events however they were cut, and valid frames."""

from __future__ import annotations

import base64
import json
from itertools import pairwise

import pytest
from fault_laws import EXAMPLES, params
from hypothesis import given
from hypothesis import strategies as st
from test_faults import sent

from cassette_stream.chaos.answers import tells_finish
from cassette_stream.dialects import aws_frames
from cassette_stream.faults import Rule, parse_rule, why_unfired
from cassette_stream.faults.framing import EventReader, inner_of
from cassette_stream.faults.seen import events_in
from cassette_stream.script import Emit, Head, Step
from cassette_stream.wire import EventStreamDecoder
from cassette_stream.wire.sse import LocatedEvent


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


LINES = [
    {"model": "m", "message": {"role": "assistant", "content": "Grüße 🎉"}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": 'so "da"'}, "done": False},
    {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True},
]
CONVERSE = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Grüße 🎉"}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": 'so "da"'}}),
    ("messageStop", {"stopReason": "end_turn"}),
]
INVOKE = [
    {"type": "message_start", "message": {"role": "assistant"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ü 🎉"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "so"}},
    {"type": "message_stop"},
]
CHUNKS = [{"bytes": base64.b64encode(_json(event)).decode(), "p": "abc"} for event in INVOKE]
PIECES = {
    "ndjson": [_json(line) + b"\n" for line in LINES],
    "converse": [aws_frames.frame(name, _json(value)) for name, value in CONVERSE],
    "invoke": [aws_frames.frame("chunk", _json(value)) for value in CHUNKS],
}
FRAMES = ("converse", "invoke")


def script(name: str) -> list[Step]:
    return [Head(200), *map(Emit, PIECES[name])]


def read(chunks: list[bytes]) -> list[LocatedEvent]:
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)] + list(reader.finish())


@pytest.mark.parametrize("name", PIECES)
@EXAMPLES
@given(data=st.data())
def test_events_are_the_same_however_the_body_was_cut(name: str, data: st.DataObject) -> None:
    body = b"".join(PIECES[name])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    events = read([body[a:b] for a, b in pairwise([0, *cuts, len(body)])])

    assert events == read([body])
    assert [body[it.start : it.end] for it in events] == PIECES[name]


@pytest.mark.parametrize(
    "rule",
    [
        *params("json"),
        *params("sem", without=["sem.loop", "sem.replay_after_retry"]),
        *params("sse"),
    ],
)
@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_is_valid_after_a_fault_in_what_it_says(name: str, rule: Rule) -> None:
    body = sent(rule.build()(iter(script(name))))
    decoder = EventStreamDecoder()
    messages = list(decoder.feed(body))

    assert messages
    assert decoder.pending == 0


@pytest.mark.parametrize(
    "rule", [it for it in params("sse") if it.values[0].info.framings == {"sse"}]
)
@pytest.mark.parametrize("name", PIECES)
def test_a_body_without_the_notion_is_left_whole_and_told_so(name: str, rule: Rule) -> None:
    fault = rule.build()

    assert list(fault(iter(script(name)))) == script(name)
    assert "never fired: it is for " in why_unfired(fault, [iter(script(name))], rule)


@pytest.mark.parametrize(
    "body",
    [b'{"model":"m","message":{"content":"hi"},"done":true}', b'{\n "done": true\n}\n', b"", b"{"],
    ids=["ollama", "pretty", "empty", "cut"],
)
def test_a_whole_document_has_no_events(body: bytes) -> None:
    assert events_in([Emit(body)]) == []


def test_nothing_behind_a_wrong_checksum_is_an_event() -> None:
    first, second, *rest = PIECES["converse"]
    broken = second[:-1] + bytes([second[-1] ^ 1])

    assert [it.name for it in events_in([Emit(b"".join([first, broken, *rest]))])] == [
        "messageStart"
    ]


@pytest.mark.parametrize("name", PIECES)
def test_the_dialect_is_told_by_what_the_events_say(name: str) -> None:
    dialects = {"ndjson": "ollama", "converse": "bedrock_converse", "invoke": "anthropic"}

    assert {seen.dialect for seen in events_in(script(name))} == {dialects[name]}


@pytest.mark.parametrize("name", ["ndjson", "converse"])
def test_a_finish_is_told_from_the_last_piece_on(name: str) -> None:
    *before, last = PIECES[name]
    finished = last.replace(b'"done":true', b'"done":true,"done_reason":"stop"')

    assert not tells_finish(b"".join(before))
    assert tells_finish(b"".join([*before, finished]))


@pytest.mark.parametrize(
    "payload", [b'{"bytes"', b'{"bytes":7}', b'{"bytes":"?"}', b'{"bytes":"a"}', b"[]"]
)
def test_what_holds_no_event_in_base64_is_no_chunk(payload: bytes) -> None:
    assert inner_of(payload) is None


def test_a_field_behind_an_object_tells_server_sent_events() -> None:
    events = read([b'{"a":1}\n', b"data: {}\n\n"])

    assert [it.data for it in events] == ["{}"]


def test_what_comes_behind_a_broken_frame_is_not_looked_at() -> None:
    first, second, third, *_ = PIECES["converse"]
    broken = second[:-1] + bytes([second[-1] ^ 1])

    assert [it.event for it in read([first, broken, third])] == ["messageStart"]


def test_a_place_that_is_not_there_is_the_reason_where_the_framing_is_right() -> None:
    rule = parse_rule("sem.ping@event=99")
    script = [Emit(b'data: {"choices":[]}\n\n')]

    assert "it is for" not in why_unfired(rule.build(), [iter(script)], rule)
