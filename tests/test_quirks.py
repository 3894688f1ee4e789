"""What servers do otherwise when they call tools, through `completion` of each format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from quirks import ID_0, ID_1, QUIRKS, fragment
from wires import ANTHROPIC, DONE, RESPONSES, event, typed

from cassette_stream.client import completion

pytestmark = pytest.mark.matrix(2)

Call = tuple[str, str, str]
MADE = "call_..."
"""For an id that no server sent."""


def asked(provider: str, body: bytes) -> tuple[list[Any], Any]:
    """The chunks of *body*, and the stream after them."""
    head = {"content-type": "text/event-stream"}
    response = httpx.Response(200, headers=head, content=body)
    with httpx.Client(transport=httpx.MockTransport(lambda _: response)) as client:
        stream: Any = completion(
            f"{provider}/m",
            [{"role": "user", "content": "x"}],
            stream=True,
            api_key="k",
            api_base="http://server/v1",
            http_client=client,
        )
        return list(stream), stream


def summed(chunks: list[Any]) -> list[Call]:
    """The calls of a caller who adds up deltas by their index, as the documentation says."""
    found: dict[int, list[str]] = {}
    for chunk in chunks:
        for call in chunk.choices[0].delta.tool_calls or ():
            parts = found.setdefault(call.index, ["", "", ""])
            parts[0] += call.id or ""
            parts[1] += call.function.name or ""
            parts[2] += call.function.arguments
    assert list(found) == list(range(len(found)))
    return [(call_id, name, arguments) for call_id, name, arguments in found.values()]


def built(stream: Any) -> list[Call]:
    """The calls of the whole answer."""
    calls = stream.response.choices[0].message.tool_calls or ()
    return [(call.id, call.function.name, call.function.arguments) for call in calls]


def masked(calls: Sequence[Call], known: set[str]) -> list[Call]:
    """*calls* with the ids that no server sent made alike; they differ from each other."""
    assert len({call[0] for call in calls}) == len(calls)
    assert all(call[0] in known or call[0].startswith("call_") for call in calls)
    return [(it if it in known else MADE, name, arguments) for it, name, arguments in calls]


def chat(delta: Any, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "c1", "created": 1, "model": "m", "choices": [choice]})


@pytest.mark.parametrize("provider", ["openai", "groq", "mistral", "hosted_vllm"])
@pytest.mark.parametrize("absent", [False, True], ids=["null", "absent"])
@pytest.mark.parametrize(("fragments", "calls"), QUIRKS.values(), ids=QUIRKS)
def test_a_quirk_of_a_compatible_server_gives_the_calls_that_it_meant(
    provider: str, absent: bool, fragments: list[Any], calls: list[Call]
) -> None:
    if absent:
        fragments = [{name: it for name, it in one.items() if it is not None} for one in fragments]
    body = b"".join(chat({"tool_calls": [one]}) for one in fragments) + chat({}, "stop") + DONE
    chunks, stream = asked(provider, body)
    known = {call[0] for call in calls} - {ID_0, ID_1}

    assert masked(summed(chunks), known) == masked(calls, known)
    assert built(stream) == summed(chunks)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert stream.raw_finish_reasons == {0: "stop"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """What *provider* sends, and the answer that it means."""

    provider: str = "openai"
    body: bytes
    calls: list[Call] = field(default_factory=list)
    content: str | None = None
    refusal: str | None = None
    finish: str = "tool_calls"


def block(index: int, kind: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    """A content block of Anthropic's, from its start to its stop."""
    said = (typed("content_block_delta", index=index, delta=delta) for delta in deltas)
    begun = typed("content_block_start", index=index, content_block=kind)
    return b"".join([begun, *said, typed("content_block_stop", index=index)])


def tool(call_id: str, name: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def said(text: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": text}


def piece(text: str) -> dict[str, Any]:
    return {"type": "input_json_delta", "partial_json": text}


BEGUN = typed("message_start", message={"id": "m1", "model": "m", "usage": {"input_tokens": 1}})
TEXT = {"type": "text", "text": ""}


def stopped(reason: str) -> bytes:
    ended = typed("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 1})
    return ended + ANTHROPIC.terminal


def item(kind: str, index: int, number: int, name: str, arguments: str = "") -> bytes:
    call = {"type": "function_call", "id": f"fc_{number}", "call_id": f"id_{number}"}
    call |= {"name": name, "arguments": arguments}
    return typed(f"response.output_item.{kind}", output_index=index, item=call)


def spelled(index: int, delta: str) -> bytes:
    return typed("response.function_call_arguments.delta", output_index=index, delta=delta)


def frame(*parts: Any, **more: Any) -> bytes:
    candidate = {"index": 0, "content": {"role": "model", "parts": list(parts)}, **more}
    return event({"candidates": [candidate], "responseId": "r1"})


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **more}}


F, G = ("a", "f", '{"x":1}'), ("b", "g", "{}")

MESSAGES: dict[str, Quirk] = {
    "index missing or null: one call per frame (Gemini)": Quirk(
        provider="gemini",
        body=frame(function("f", args={"x": 1}, id="a"))
        + frame(function("g", id="b"))
        + frame(finishReason="STOP"),
        calls=[("a", "f", '{"x": 1}'), G],
    ),
    "same index for parallel calls (Responses bridge)": Quirk(
        provider="openai/responses",
        body=RESPONSES.begin
        + item("added", 0, 1, "f")
        + spelled(0, '{"x":1}')
        + item("done", 0, 1, "f", '{"x":1}')
        + item("added", 0, 2, "g")
        + spelled(0, "{}")
        + item("done", 0, 2, "g", "{}")
        + RESPONSES.finish,
        calls=[("id_1", "f", '{"x":1}'), ("id_2", "g", "{}")],
    ),
    "interleaved fragments of parallel calls (Responses)": Quirk(
        provider="openai/responses",
        body=RESPONSES.begin
        + item("added", 0, 1, "f")
        + item("added", 1, 2, "g")
        + spelled(1, "{")
        + spelled(0, '{"x"')
        + spelled(1, "}")
        + spelled(0, ":1}")
        + RESPONSES.finish,
        calls=[("id_1", "f", '{"x":1}'), ("id_2", "g", "{}")],
    ),
    "index not starting at 0 / block index leaked (Anthropic)": Quirk(
        provider="anthropic",
        body=BEGUN
        + block(0, TEXT, said("Let me"))
        + block(1, tool("a", "f"), piece('{"x"'), piece(":1}"))
        + block(3, tool("b", "g"), piece(""), piece("{}"))
        + stopped("tool_use"),
        calls=[F, G],
        content="Let me",
    ),
    "index not starting at 0 / block index leaked (Responses)": Quirk(
        provider="openai/responses",
        body=RESPONSES.begin
        + item("added", 4, 1, "f")
        + spelled(4, "{}")
        + item("done", 4, 1, "f", "{}")
        + RESPONSES.finish,
        calls=[("id_1", "f", "{}")],
    ),
    "id the text null, arguments as object (Mistral)": Quirk(
        provider="mistral",
        body=chat(
            {"tool_calls": [{"id": "null", "function": {"name": "f", "arguments": {"x": 1}}}]},
            "tool_calls",
        ),
        calls=[(MADE, "f", '{"x": 1}')],
    ),
    "whole call in one delta, two in one chunk (Mistral, Groq)": Quirk(
        provider="groq",
        body=chat(
            {"tool_calls": [fragment(0, *F), fragment(1, *G)]},
            "tool_calls",
        ),
        calls=[F, G],
    ),
    "whole call in one delta, two in one frame (Gemini)": Quirk(
        provider="gemini",
        body=frame(function("f", args={}), function("f", args={}), finishReason="STOP"),
        calls=[(MADE, "f", "{}")] * 2,
    ),
    "no-argument tools: no argument text at all (Anthropic, no delta)": Quirk(
        provider="anthropic",
        body=BEGUN + block(0, tool("b", "g")) + stopped("tool_use"),
        calls=[G],
    ),
    "no-argument tools: no argument text at all (Anthropic, an empty delta)": Quirk(
        provider="anthropic",
        body=BEGUN + block(0, tool("b", "g"), piece("")) + stopped("tool_use"),
        calls=[G],
    ),
    "no-argument tools: no argument text at all (Gemini, no args)": Quirk(
        provider="gemini",
        body=frame(function("g", id="b"), finishReason="STOP"),
        calls=[G],
    ),
    "no-argument tools: no argument text at all (Responses)": Quirk(
        provider="openai/responses",
        body=RESPONSES.begin + item("added", 0, 1, "g") + RESPONSES.finish,
        calls=[("id_1", "g", "{}")],
    ),
    "the arguments in the start of the block (proxies of Anthropic)": Quirk(
        provider="anthropic",
        body=BEGUN + block(0, tool("a", "f", x=1)) + stopped("tool_use"),
        calls=[("a", "f", '{"x": 1}')],
    ),
    "empty argument delta kills the stream (Responses)": Quirk(
        provider="openai/responses",
        body=RESPONSES.begin
        + item("added", 0, 1, "g")
        + spelled(0, "")
        + spelled(0, "{")
        + spelled(0, "")
        + spelled(0, "}")
        + RESPONSES.finish,
        calls=[("id_1", "g", "{}")],
    ),
    "deltas plus a final full copy (Responses)": Quirk(
        provider="openai/responses",
        body=RESPONSES.begin
        + item("added", 0, 1, "f")
        + spelled(0, '{"x"')
        + spelled(0, ":1}")
        + typed("response.function_call_arguments.done", output_index=0, arguments='{"x":1}')
        + item("done", 0, 1, "f", '{"x":1}')
        + RESPONSES.finish,
        calls=[("id_1", "f", '{"x":1}')],
    ),
    "finish stop although tools were called (Gemini)": Quirk(
        provider="gemini",
        body=frame(function("g", id="b")) + frame({"text": ""}, finishReason="STOP"),
        calls=[G],
    ),
    "finish stop although tools were called (Anthropic)": Quirk(
        provider="anthropic",
        body=BEGUN + block(0, tool("b", "g")) + stopped("end_turn"),
        calls=[G],
    ),
    "finish stop although tools were called (OpenAI's shape)": Quirk(
        body=chat({"tool_calls": [fragment(0, *G)]}) + chat({}, "stop"),
        calls=[G],
    ),
    "tool_calls: [] on text chunks": Quirk(
        body=chat({"content": "a", "tool_calls": []}) + chat({"tool_calls": []}, "stop"),
        content="a",
        finish="stop",
    ),
    "text before/after tools (OpenAI's shape)": Quirk(
        body=chat({"content": "before"})
        + chat({"tool_calls": [fragment(0, *G)]})
        + chat({"content": ", after"})
        + chat({}, "tool_calls"),
        calls=[G],
        content="before, after",
    ),
    "text before/after tools (Anthropic)": Quirk(
        provider="anthropic",
        body=BEGUN
        + block(0, TEXT, said("before"))
        + block(1, tool("b", "g"))
        + block(2, TEXT, said(", after"))
        + stopped("tool_use"),
        calls=[G],
        content="before, after",
    ),
    "text before/after tools (Responses)": Quirk(
        provider="openai/responses",
        body=RESPONSES.begin
        + RESPONSES.word("before")
        + item("added", 1, 1, "g")
        + spelled(1, "{}")
        + typed("response.output_text.delta", output_index=2, delta=", after")
        + RESPONSES.finish,
        calls=[("id_1", "g", "{}")],
        content="before, after",
    ),
    "text before/after tools (Gemini)": Quirk(
        provider="gemini",
        body=frame({"text": "before"}, function("g", id="b"), {"text": ", after"})
        + frame(finishReason="STOP"),
        calls=[G],
        content="before, after",
    ),
    "refusal instead of content (OpenAI's shape)": Quirk(
        body=chat({"role": "assistant", "content": None, "refusal": ""})
        + chat({"refusal": "I "})
        + chat({"refusal": "can't"})
        + chat({}, "stop"),
        refusal="I can't",
        finish="stop",
    ),
    "refusal instead of content (Responses)": Quirk(
        provider="openai/responses",
        body=RESPONSES.begin
        + typed("response.refusal.delta", output_index=0, delta="I ")
        + typed("response.refusal.delta", output_index=0, delta="can't")
        + RESPONSES.finish,
        refusal="I can't",
        finish="stop",
    ),
    "refusal instead of content (Anthropic)": Quirk(
        provider="anthropic",
        body=BEGUN + block(0, TEXT, said("I can't")) + stopped("refusal"),
        content="I can't",
        finish="content_filter",
    ),
    "refusal instead of content (Gemini)": Quirk(
        provider="gemini",
        body=event({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "I can't"}}),
        refusal="I can't",
        finish="content_filter",
    ),
}


@pytest.mark.parametrize("quirk", MESSAGES.values(), ids=MESSAGES)
def test_a_quirk_of_a_format_gives_the_answer_that_it_means(quirk: Quirk) -> None:
    chunks, stream = asked(quirk.provider, quirk.body)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    message = stream.response.choices[0].message
    known = {call[0] for call in quirk.calls} - {MADE}

    assert masked(summed(chunks), known) == quirk.calls
    assert built(stream) == summed(chunks)
    assert ("".join(it.content or "" for it in deltas) or None) == message.content == quirk.content
    assert ("".join(it.refusal or "" for it in deltas) or None) == quirk.refusal
    assert message.refusal == quirk.refusal
    assert [] not in [delta.tool_calls for delta in deltas]
    assert stream.finish_reasons == {0: quirk.finish}
    assert stream.warnings == []


SIGNED = {"google": {"thought_signature": "S"}}


@pytest.mark.parametrize(
    ("provider", "body", "name", "value"),
    [
        pytest.param(
            "openai",
            chat({"tool_calls": [fragment(0, *G, extra_content=SIGNED)]}, "tool_calls"),
            "extra_content",
            SIGNED,
            id="extra_content (Gemini's OpenAI endpoint)",
        ),
        pytest.param(
            "openai",
            chat({"tool_calls": [fragment(0, *G, provider_specific_fields=SIGNED)]}, "stop"),
            "provider_specific_fields",
            SIGNED,
            id="provider_specific_fields (LiteLLM's proxy)",
        ),
        pytest.param(
            "gemini",
            frame(function("g", id="b") | {"thoughtSignature": "S"}, finishReason="STOP"),
            "provider_specific_fields",
            {"thought_signature": "S"},
            id="thought_signature (Gemini)",
        ),
    ],
)
def test_what_signs_a_call_is_kept_beside_it(
    provider: str, body: bytes, name: str, value: Any
) -> None:
    chunks, stream = asked(provider, body)
    (delta, *_) = (it for chunk in chunks for it in chunk.choices[0].delta.tool_calls or ())
    (call,) = stream.response.choices[0].message.tool_calls

    assert delta[name] == call[name] == value
    assert call.id == "b"
