"""Response objects, how they are read, and the normal form of a stream."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies_chunks import concatenated, normal, streams, told
from support import SOAK

from cassette_stream import chunks as objects
from cassette_stream.chunks import (
    NO_INDEX,
    Audio,
    ChatCompletionDeltaToolCall,
    ChoiceLogprobs,
    CompletionTokensDetails,
    Delta,
    Function,
    ModelResponse,
    ModelResponseStream,
    NormalForm,
    PromptTokensDetails,
    RedactedThinking,
    ResponseAccumulator,
    StreamingChoices,
    Thinking,
    Usage,
    arguments_text,
    normal_finish_reason,
    read_chunk,
    read_response,
    read_tool_call,
)
from cassette_stream.chunks.base import ResponseObject
from cassette_stream.exceptions import MalformedStreamError

many = settings(max_examples=200 if SOAK else 25, deadline=None)
Json = dict[str, Any]
PROGRESS = (
    ("reasoning_content", "thinking_blocks", "reasoning_items"),
    ("refusal",),
    ("content",),
    ("tool_calls",),
    ("function_call",),
    ("audio",),
    ("images",),
    ("annotations",),
    ("provider_specific_fields",),
)


def chunk(delta: Json | None = None, finish: str | None = None, index: int = 0, **top: Any) -> Json:
    """A raw chunk with one choice."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return {"id": "c1", "created": 7, "model": "m-1", "choices": [choice]} | top


def script(chunks: list[ModelResponseStream]) -> list[str]:
    """Chunks in the notation of a transcript: who, what, and what is beside it."""
    return [" ".join(words(chunk)) for chunk in chunks]


def words(chunk: ModelResponseStream) -> Iterator[str]:
    (choice,) = chunk.choices
    if choice.index:
        yield f"{choice.index}:"
    if choice.delta.role:
        yield "R"
    for letter, name in (("T", "reasoning_content"), ("C", "content"), ("X", "refusal")):
        if choice.delta[name] is not None:
            yield f'{letter}"{choice.delta[name]}"'
    for call in choice.delta.tool_calls or ():
        named = [call.id, call.function.name]
        yield " ".join([f"K[{call.index}]", *filter(None, named), f'"{call.function.arguments}"'])
    for name in ("thinking_blocks", "audio", "images", "annotations", "function_call"):
        if choice.delta[name] is not None:
            yield name
    yield from choice.delta.provider_specific_fields or ()
    yield from chunk.provider_specific_fields or ()
    if choice.finish_reason:
        yield f"F {choice.finish_reason}"
    if chunk.usage is not None:
        counts = chunk.usage
        yield f"U {counts.prompt_tokens}/{counts.completion_tokens}/{counts.total_tokens}"


EVERY_KIND = [
    getattr(objects, name)
    for name in objects.__all__
    if isinstance(getattr(objects, name), type)
    and issubclass(getattr(objects, name), ResponseObject)
]
every_kind = pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda kind: kind.__name__)


def example(kind: type[ResponseObject]) -> Any:
    """An object of *kind* with as little in it as it takes, and something undeclared."""
    needed = {"id": "x", "created": 1, "model": "m", "choices": [], "message": objects.Message()}
    needed |= {"thinking": "t", "data": "d", "token": "t", "logprob": -0.5}
    fields = [field.name for field in msgspec.structs.fields(kind) if field.required]
    return kind(**{name: needed[name] for name in fields}, extras={"undeclared": [1]})


def without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    return [without_none(item) for item in value] if isinstance(value, list) else value


@many
@given(stream=streams(), usage=st.booleans())
def test_the_normal_form_says_what_the_completion_says(stream: Any, usage: bool) -> None:
    completion, raw = stream
    chunks = normal(raw, include_usage=usage)

    assert concatenated(chunks) == told(completion)
    assert [chunk.usage for chunk in chunks if chunk.usage] == (
        [completion.usage] if usage and completion.usage else []
    )


@many
@given(stream=streams(), usage=st.booleans())
def test_the_normal_form_keeps_its_grammar(stream: Any, usage: bool) -> None:
    chunks = normal(stream[1], include_usage=usage)
    spoken = [chunk for chunk in chunks if chunk.usage is None]
    orders: dict[int, list[StreamingChoices]] = {}
    for chunk in spoken:
        (choice,) = chunk.choices
        orders.setdefault(choice.index, []).append(choice)

    assert all(chunk.is_usage_only for chunk in chunks[len(spoken) :])
    assert len(chunks) - len(spoken) <= usage
    for first, *middle, last in orders.values():
        assert first.delta.role == "assistant"
        assert last == StreamingChoices(
            index=last.index, finish_reason=last.finish_reason, raw_finish_reason=last.finish_reason
        )
        assert last.finish_reason
        for choice in (first, *middle):
            said = [kind for kind in PROGRESS if any(choice.delta[name] for name in kind)]
            assert len(said) == 1 or (choice is first and not said)
            assert choice.finish_reason is None
        for choice in middle:
            assert choice.delta.role is None
            assert choice.delta.content != ""
    for field in ("id", "object", "created", "model", "system_fingerprint", "service_tier"):
        assert len({chunk[field] for chunk in chunks}) <= 1


@many
@given(stream=streams())
def test_normal_chunks_stay_as_they_are(stream: Any) -> None:
    once = normal(stream[1], include_usage=True)

    assert normal(copy.deepcopy(once), include_usage=True) == once


@many
@given(stream=streams(), data=st.data())
def test_the_quick_way_and_the_long_way_give_the_same(stream: Any, data: st.DataObject) -> None:
    raw = stream[1]
    for chosen in data.draw(st.lists(st.sampled_from(raw), max_size=4)):
        chosen.update(data.draw(st.sampled_from([{"system_fingerprint": "fp_2"}, {"new": 1}])))
    form, plainly = NormalForm(), NormalForm()
    slow = [out for value in raw for out in plainly._unusual(read_chunk(value))]

    assert list(form.feed(map(read_chunk, raw))) == slow
    assert form.finish_reasons == plainly.finish_reasons


@many
@given(stream=streams(), data=st.data())
def test_what_passes_is_followed_to_the_same_response(stream: Any, data: st.DataObject) -> None:
    beside = [{"system_fingerprint": "fp_2"}, {"service_tier": "flex"}, {"new": 1}]
    for chosen in data.draw(st.lists(st.sampled_from(stream[1]), max_size=4)):
        chosen.update(data.draw(st.sampled_from(beside)))
    form, added, followed = NormalForm(), ResponseAccumulator(), ResponseAccumulator()
    for chunk in map(read_chunk, stream[1]):
        passed = form.passes(chunk)
        if passed is not None:
            added.add(chunk)
            followed.follow(chunk, passed)
        for other in () if passed is not None else form.feed([chunk]):
            added.add(other)
            followed.add(other)

        assert followed.response() == added.response()


@many
@given(stream=streams())
def test_chunks_are_read_back_from_what_they_dump(stream: Any) -> None:
    for chunk in normal(stream[1], include_usage=True):
        kept = chunk._hidden_params
        for dumped in (
            chunk.model_dump(),
            chunk.model_dump(exclude_none=True),
            json.loads(chunk.model_dump_json()),
        ):
            again = read_chunk(dumped)
            again._hidden_params = kept

            assert again == chunk


@many
@given(stream=streams())
def test_json_goes_straight_into_chunks(stream: Any) -> None:
    decoder = msgspec.json.Decoder(ModelResponseStream)

    for value in stream[1]:
        assert decoder.decode(json.dumps(value)) == read_chunk(value)


@every_kind
def test_an_object_reads_as_attributes_as_items_and_as_a_mapping(kind: Any) -> None:
    value = example(kind)

    assert "undeclared" in dict(value)
    assert "extras" not in dict(value)
    for key, item in dict(value).items():
        assert key in value
        assert value[key] == getattr(value, key) == value.get(key) == item


@every_kind
@pytest.mark.parametrize("extras", [None, {"undeclared": 1}], ids=["without", "with extras"])
def test_what_is_nowhere_is_missing_in_every_way(kind: Any, extras: Json | None) -> None:
    value = example(kind)
    value.extras = extras

    assert "nowhere" not in value
    assert not hasattr(value, "nowhere")
    assert value.get("nowhere", 5) == 5
    with pytest.raises(KeyError, match="nowhere"):
        value["nowhere"]
    with pytest.raises(AttributeError, match=f"'{kind.__name__}' object has no attribute"):
        _ = value.nowhere


@every_kind
def test_copies_and_pickles_are_equal_and_apart(kind: Any) -> None:
    value = example(kind)
    copies = [copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))]

    assert copies == [value] * 3
    copies[1].extras["undeclared"].append(2)
    assert copies[1] != value
    assert value.undeclared == [1]


@every_kind
def test_a_dump_is_plain_and_the_same_in_every_form(kind: Any) -> None:
    value = example(kind)
    dumped = value.model_dump()

    assert json.loads(value.model_dump_json()) == dumped
    assert value.to_dict() == value.json() == dumped
    assert value.model_dump_json(indent=2).startswith('{\n  "')
    assert value.model_dump(exclude_unset=True) == value.model_dump(exclude_none=True)
    assert value.model_dump(exclude_none=True) == without_none(dumped)


def test_every_documented_field_is_on_every_chunk() -> None:
    value = ModelResponseStream(choices=[StreamingChoices()])
    delta = value.choices[0].delta

    assert dict(delta) == dict.fromkeys(
        [
            "role", "content", "tool_calls", "function_call", "refusal", "reasoning_content",
            "thinking_blocks", "reasoning_items", "audio", "images", "annotations",
            "provider_specific_fields",
        ]
    )  # fmt: skip
    assert set(dict(value)) == {
        "id", "object", "created", "model", "choices", "system_fingerprint", "usage",
        "service_tier", "provider_specific_fields", "citations", "obfuscation",
    }  # fmt: skip
    assert (hasattr(value, "usage"), value.usage) == (True, None)
    assert value.object == "chat.completion.chunk"
    assert dict(value.choices[0]) == {
        "index": 0,
        "delta": Delta(),
        "finish_reason": None,
        "raw_finish_reason": None,
        "abnormal_finish": False,
        "logprobs": None,
    }


def test_callers_may_change_what_they_got() -> None:
    value = read_chunk(chunk({"content": "secret"}))
    value.choices[0].delta.content = "***"
    value.choices[0].delta["refusal"] = "no"
    value["note"] = "mine"
    value["note2"] = "too"

    assert value.choices[0].delta == Delta(content="***", refusal="no")
    assert (value.note, value.extras) == ("mine", {"note": "mine", "note2": "too"})


def test_a_print_shows_what_is_there_and_no_more() -> None:
    assert repr(Delta(content="hi", extras={"a": 1})) == "Delta(content='hi', extras={'a': 1})"


def test_thinking_blocks_say_their_type() -> None:
    signed = Thinking(thinking="hm", signature="S", index=0)

    assert signed["type"] == signed.type == "thinking"
    assert signed.model_dump() == {
        "type": "thinking", "thinking": "hm", "signature": "S", "index": 0,
    }  # fmt: skip
    assert RedactedThinking(data="R").model_dump(exclude_none=True) == {
        "type": "redacted_thinking", "data": "R",
    }  # fmt: skip


def test_a_dump_goes_all_the_way_down() -> None:
    inner = Thinking(thinking="t")
    value = Delta(
        thinking_blocks=[inner], provider_specific_fields={"a": [{"b": inner, "c": None}]}
    )

    assert value.model_dump(exclude_none=True) == {
        "thinking_blocks": [{"type": "thinking", "thinking": "t"}],
        "provider_specific_fields": {"a": [{"b": {"type": "thinking", "thinking": "t"}}]},
    }


def test_litellms_other_name_for_written_cache_tokens_works() -> None:
    assert PromptTokensDetails(cache_write_tokens=3).cache_creation_tokens == 3


@pytest.mark.parametrize(
    ("reasons", "complete"), [([], False), (["stop"], True), (["stop", None], False)], ids=str
)
def test_a_response_is_complete_when_every_choice_ended(reasons: list[Any], complete: bool) -> None:
    choices = [objects.Choices(message=objects.Message(), finish_reason=it) for it in reasons]

    assert ModelResponse(id="", created=0, model="", choices=choices).complete is complete


def delta_of(delta: object, **choice: Any) -> Delta:
    value = {"choices": [{"index": 0, "delta": delta} | choice]}
    return read_chunk(value).choices[0].delta


def call_of(**call: Any) -> ChatCompletionDeltaToolCall:
    return read_tool_call(call)


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (delta_of(None), Delta()),
        (delta_of({"content": None, "tool_calls": []}), Delta()),
        (delta_of({"tool_calls": None}), Delta()),
        (delta_of({"reasoning": "r"}), Delta(reasoning_content="r")),
        (delta_of({"reasoning": "r", "reasoning_content": None}), Delta(reasoning_content="r")),
        (
            delta_of({"reasoning": "r", "reasoning_content": "c"}),
            Delta(reasoning_content="c", extras={"reasoning": "r"}),
        ),
        (delta_of({"content": "a", "x": None}), Delta(content="a", extras={"x": None})),
        (delta_of({"audio": {"data": "AA=="}}), Delta(audio=Audio(data="AA=="))),
        (
            delta_of(
                {
                    "thinking_blocks": [
                        {"type": "thinking", "thinking": "t", "index": 0, "x": 1},
                        {"type": "redacted_thinking", "data": "d"},
                        Thinking(thinking="ours"),
                    ]
                }
            ),
            Delta(
                thinking_blocks=[
                    Thinking(thinking="t", index=0, extras={"x": 1}),
                    RedactedThinking(data="d"),
                    Thinking(thinking="ours"),
                ]
            ),
        ),
        (call_of(), ChatCompletionDeltaToolCall(index=NO_INDEX, type="function")),
        (call_of(index=None, function=None, type=None), ChatCompletionDeltaToolCall()),
        (
            call_of(index=1, function={"name": "f", "arguments": None}),
            ChatCompletionDeltaToolCall(index=1, function=Function(name="f")),
        ),
        (
            call_of(function={"arguments": {"a": "é"}}),
            ChatCompletionDeltaToolCall(function=Function(arguments='{"a": "é"}')),
        ),
        (
            call_of(type="custom", custom={"name": "c", "input": "x"}),
            ChatCompletionDeltaToolCall(
                type="custom", custom=objects.Custom(name="c", input="x")
            ),
        ),
        (
            call_of(extra_content={"google": 1}, function=Function(name="f")),
            ChatCompletionDeltaToolCall(
                function=Function(name="f"), extras={"extra_content": {"google": 1}}
            ),
        ),
        (read_chunk({"choices": None}), ModelResponseStream()),
        (
            read_chunk({"choices": [{"index": 1, "message": {"content": "all"}}]}),
            ModelResponseStream(choices=[StreamingChoices(index=1)]),
        ),
        (
            read_chunk({"extras": 1, "_hidden_params": 2}),
            ModelResponseStream(extras={"extras": 1, "_hidden_params": 2}),
        ),
        (
            read_chunk({"usage": {"prompt_tokens": None, "completion_tokens": 2, "q": 0.5}}),
            ModelResponseStream(usage=Usage(completion_tokens=2, extras={"q": 0.5})),
        ),
        (
            read_chunk({"usage": {"cost": {"total_cost": 0.5, "request_cost": 0.25}}}).usage,
            Usage(
                cost=0.5,
                extras={"cost_details": {"total_cost": 0.5, "request_cost": 0.25}},
            ),
        ),
        (read_chunk(Audio(id="of another kind")), ModelResponseStream(
            id="of another kind",
            extras={"data": None, "transcript": None, "expires_at": None},
        )),
    ],
)  # fmt: skip
def test_what_servers_write_otherwise_is_mended(got: object, wanted: object) -> None:
    assert got == wanted


def test_logprobs_come_as_objects_and_null_alternatives_as_an_empty_list() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": None}
    value = read_chunk(chunk() | {"choices": [{"logprobs": {"content": [token], "refusal": None}}]})
    logprobs = value.choices[0].logprobs

    assert isinstance(logprobs, ChoiceLogprobs)
    assert logprobs.content is not None
    assert logprobs.content[0].model_dump() == token | {"top_logprobs": []}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (chunk({"content": 12}), r"Expected `str \| null`, got `int` - at `\$.choices\[0\].delta"),
        ({"choices": [1]}, r"Expected `object`, got `int`"),
        ({"choices": {"index": 0}}, r"Expected `array`, got `object`"),
        (chunk({"thinking_blocks": ["x"]}), r"Expected `object`, got `str`"),
        (chunk({"thinking_blocks": 3}), r"Expected `array \| null`, got `int`"),
        (chunk({"tool_calls": [{"function": {"arguments": 5}}]}), r"Expected `str`, got `int`"),
    ],
)
def test_a_wrong_type_is_an_error_that_names_the_place(value: Json, place: str) -> None:
    with pytest.raises(MalformedStreamError, match=place):
        read_chunk(value)


def test_numbers_are_written_as_text_where_asked_for() -> None:
    assert read_chunk(chunk({"content": 12}), strict=False).choices[0].delta.content == "12"
    with pytest.raises(MalformedStreamError):
        read_chunk(chunk({"content": [1]}), strict=False)


@pytest.mark.parametrize("value", [5, "text", None, [1]], ids=repr)
def test_what_is_no_chunk_at_all_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="a chunk is a mapping or has a model_dump, not"):
        read_chunk(value)


def test_a_whole_response_is_read_as_well() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
    value = read_response(
        {
            "id": "r",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "new": True,
            "choices": [
                {
                    "index": 0,
                    "message": {"content": None, "tool_calls": [call]},
                    "finish_reason": "x",
                }
            ],
        }
    )

    assert value.choices[0].message.tool_calls == [
        objects.ChatCompletionMessageToolCall(
            id="c", function=Function(name="f", arguments='{"a": 1}')
        )
    ]
    assert (value.new, value.complete) == (True, True)
    assert read_response(value) is value


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(None, ""), ("{", "{"), ({"a": "é"}, '{"a": "é"}'), ([1], "[1]")],
    ids=repr,
)
def test_arguments_become_text(arguments: object, text: str) -> None:
    assert arguments_text(arguments) == text


REASONS = {
    "stop": "stop end_turn stop_sequence eos eos_token COMPLETE STOP_SEQUENCE STOP",
    "length": "length max_tokens MAX_TOKENS model_length max_output_tokens "
    "model_context_window_exceeded pause_turn compaction CONTINUATION",
    "tool_calls": "tool_calls tool_use TOOL_CALL",
    "function_call": "function_call",
    "content_filter": "content_filter content_filtered refusal guardrail_intervened sensitive "
    "SAFETY RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY "
    "IMAGE_PROHIBITED_CONTENT IMAGE_OTHER IMAGE_RECITATION NO_IMAGE ESCALATION ERROR_TOXIC "
    "MODEL_ARMOR",
}
UNKNOWN = (
    "MALFORMED_FUNCTION_CALL MALFORMED_RESPONSE UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS "
    "MISSING_THOUGHT_SIGNATURE malformed_model_output malformed_tool_use brand_new"
)


@pytest.mark.parametrize(
    ("raw", "meaning"), [(raw, name) for name, words in REASONS.items() for raw in words.split()]
)
def test_a_known_finish_reason_is_said_in_five_words(raw: str, meaning: str) -> None:
    assert normal_finish_reason(raw) == (meaning, False)
    assert normal_finish_reason(raw, called=True) == (
        "tool_calls" if meaning == "stop" else meaning,
        False,
    )


@pytest.mark.parametrize("raw", UNKNOWN.split())
def test_any_other_finish_reason_stays_itself_and_is_flagged(raw: str) -> None:
    assert normal_finish_reason(raw) == normal_finish_reason(raw, called=True) == (raw, True)


def tool(index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> Json:
    return {
        "tool_calls": [
            {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}
        ]
    }


USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
TRANSCRIPTS: dict[str, tuple[list[Json], list[str]]] = {
    "two choices in one chunk": (
        [
            chunk()
            | {
                "choices": [
                    {"index": 0, "delta": {"content": "A"}, "finish_reason": "stop"},
                    {"index": 1, "delta": {"content": "B"}, "finish_reason": "stop"},
                ]
            }
        ],
        ['R C"A"', "F stop", '1: R C"B"', "1: F stop"],
    ),
    "reasoning, its signature, then the answer": (
        [
            chunk({"reasoning_content": "hmm"}),
            chunk({"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "S"}]}),
            chunk({"content": "So"}),
            chunk({"provider_specific_fields": {"citation": {}}}),
            chunk({}, "end_turn"),
        ],
        ['R T"hmm"', "thinking_blocks", 'C"So"', "citation", "F stop"],
    ),
    "everything in one chunk": (
        [
            chunk(
                {
                    "role": "assistant",
                    "content": "So",
                    "reasoning": "hmm",
                    "refusal": "no",
                    "images": [{"type": "image_url"}],
                    "annotations": [{"type": "url_citation"}],
                    "audio": {"data": "AA=="},
                    "function_call": {"name": "f", "arguments": "{}"},
                    "provider_specific_fields": {"mine": 1},
                }
                | tool(3, "c", "f", "{}"),
                "stop",
            )
        ],
        [
            'R T"hmm" mine',
            'X"no"',
            'C"So"',
            'K[0] c f "{}"',
            "function_call",
            "audio",
            "images",
            "annotations",
            "F tool_calls",
        ],
    ),
    "what says nothing": (
        [
            chunk({"role": "assistant"}),
            chunk({"role": "assistant"}),
            chunk({"content": ""}),
            chunk({"content": None, "tool_calls": [], "function_call": {}, "audio": {}}),
            chunk() | {"choices": [{"index": 0, "delta": None}]},
            {"choices": None},
            {},
            chunk({"content": "x"}),
            chunk({"extra": None, "content": ""}),
            chunk({}, ""),
            chunk({}, "stop"),
            chunk({}, "stop"),
        ],
        ["R", 'C"x"', "F stop"],
    ),
    "no word at all": ([chunk({}, "stop")], ["R", "F stop"]),
    "an empty text before anything": (
        [chunk({"content": ""}), chunk({}, "stop")],
        ['R C""', "F stop"],
    ),
    "a call without arguments": (
        [chunk(tool(0, "c", "now", "")), chunk({}, "stop")],
        ['R K[0] c now ""', 'K[0] "{}"', "F tool_calls"],
    ),
    "usage on every chunk": (
        [
            chunk({"content": "a"}, usage={"prompt_tokens": 5, "completion_tokens": 1}),
            chunk({"content": "b"}, usage={"prompt_tokens": 5, "completion_tokens": 2}),
            chunk({}, "stop", usage={"prompt_tokens": 0, "completion_tokens": 3}),
        ],
        ['R C"a"', 'C"b"', "F stop", "U 5/3/8"],
    ),
    "text after the end": (
        [chunk({"content": "a"}, "stop"), chunk({"content": "b"}), chunk({}, "length")],
        ['R C"a"', "F stop", 'C"b"'],
    ),
    "a stream that breaks off": ([chunk({"content": "a"})], ['R C"a"']),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("raw", "wanted"), TRANSCRIPTS.values(), ids=TRANSCRIPTS.keys())
def test_a_stream_in_normal_form(raw: list[Json], wanted: list[str]) -> None:
    assert script(normal(raw, include_usage=True)) == wanted
    assert script(normal(raw)) == [line for line in wanted if not line.startswith("U ")]


def test_usage_is_collected_even_where_no_chunk_was_asked_for() -> None:
    form = NormalForm()
    list(form.feed([read_chunk({"choices": [], "usage": USAGE})]))

    assert form.usage == Usage(**USAGE)
    assert list(form.end()) == []


def test_usage_is_never_made_up() -> None:
    form = NormalForm(include_usage=True)
    list(form.feed([read_chunk(chunk({"content": "a"}, "stop"))]))

    assert (form.usage, list(form.end())) == (None, [])


def test_the_usage_chunk_has_a_placeholder_and_what_came_with_it() -> None:
    *_, last = normal(
        [chunk({"content": "a"}, "stop"), {"choices": [], "usage": USAGE, "x_trace": "t"}],
        include_usage=True,
    )

    assert last.choices == [StreamingChoices()]
    assert last.is_usage_only
    assert last.provider_specific_fields == {"x_trace": "t"}
    assert ModelResponseStream(usage=Usage()).is_usage_only
    assert not read_chunk(chunk({"content": "a"}, usage=USAGE)).is_usage_only


def test_later_usage_keeps_what_it_does_not_say_again() -> None:
    reports = [
        {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}, "queue_time": 0.5},
        {"completion_tokens": 3, "cost": 0.25, "total_time": 2.0},
    ]
    form = NormalForm()
    list(form.feed(read_chunk({"choices": [], "usage": report}) for report in reports))

    assert form.usage == Usage(
        prompt_tokens=9,
        completion_tokens=3,
        total_tokens=12,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=4),
        cost=0.25,
        extras={"queue_time": 0.5, "total_time": 2.0},
    )


def test_ends_are_told_by_choice_in_both_words() -> None:
    form = NormalForm()
    raw = [chunk({"content": "a"}, "MAX_TOKENS"), chunk({"content": "b"}, "odd", index=1)]
    chunks = list(form.feed(map(read_chunk, raw)))

    assert form.finish_reasons == {0: "length", 1: "odd"}
    assert form.raw_finish_reasons == {0: "MAX_TOKENS", 1: "odd"}
    assert chunks[-1].choices[0].abnormal_finish
    assert not chunks[1].choices[0].abnormal_finish
    assert (form.complete, form.late, form.warnings) == (True, False, [])


def test_a_decoder_may_say_the_raw_reason_itself() -> None:
    choice = StreamingChoices(
        finish_reason="length", raw_finish_reason="incomplete", abnormal_finish=True
    )
    *_, end = NormalForm().feed([ModelResponseStream(choices=[choice])])

    assert end.choices[0].raw_finish_reason == "incomplete"
    assert end.choices[0].abnormal_finish


def test_what_comes_late_is_passed_on_and_flagged() -> None:
    form = NormalForm()
    raw = [chunk({"content": "a"}, "stop"), chunk({"role": "assistant"}), chunk({"content": "b"})]
    states = [(form.late, form.complete) for value in raw for _ in form.feed([read_chunk(value)])]

    assert states == [(False, True), (False, True), (True, True)]
    assert form.warnings == ["choice 0 went on after its finish reason"]


def test_a_stream_is_complete_once_every_choice_that_was_seen_ended() -> None:
    form = NormalForm()
    states = [form.complete]
    for value in (chunk({"content": "a"}), chunk({}, "stop"), chunk({"content": "b"}, index=1)):
        list(form.feed([read_chunk(value)]))
        states.append(form.complete)

    assert states == [False, False, True, False]


def test_the_stream_has_one_head() -> None:
    raw = [
        {"id": "", "model": "", "created": 0, "choices": []},
        chunk({"role": "assistant"}, service_tier="default"),
        chunk({"content": "a"}, id="other", created=9, model="else", system_fingerprint="fp"),
        chunk({"content": "b"}),
        chunk({}, "stop"),
    ]
    hidden = {"custom_llm_provider": "openai"}
    chunks = normal(raw, model="asked", id="own", created=3, hidden_params=hidden)

    assert {(it.id, it.created, it.model, it.service_tier) for it in chunks} == {
        ("c1", 7, "asked", "default")
    }
    assert [it.system_fingerprint for it in chunks] == [None, "fp", "fp", "fp"]
    assert all(it._hidden_params == hidden | {"provider_response_model": "m-1"} for it in chunks)
    assert hidden == {"custom_llm_provider": "openai"}


def test_a_stream_without_a_head_gets_the_one_that_was_given() -> None:
    (first, last) = normal(
        [{"choices": chunk({"content": "a"}, "stop")["choices"]}], id="own", created=3
    )

    assert (first.id, first.created, first.model) == (last.id, last.created, last.model)
    assert (first.id, first.created, first.model) == ("own", 3, "")


def test_the_name_of_the_model_is_the_providers_where_none_was_asked_for() -> None:
    assert {it.model for it in normal([chunk({"content": "a"}, "stop")])} == {"m-1"}


def test_what_is_beside_the_answer_goes_along() -> None:
    raw = [
        chunk({"content": "a"}, obfuscation="pad", citations=["u"], provider="P"),
        {"choices": [], "citations": ["v"], "provider_specific_fields": {"trace": 1}},
        chunk({"content": "b"}, provider_specific_fields={"own": 2}),
        chunk() | {"choices": [{"index": 0, "delta": {"content": ""}, "stop_reason": 5}]},
        chunk() | {"choices": [{"index": 0, "delta": {"content": "c"}, "token_ids": [1]}]},
        chunk({"content": "d", "mine": 1}),
        chunk() | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "extra": 6}]},
    ]
    first, second, third, fourth, last = normal(raw)

    assert (first.citations, first.provider, first.obfuscation) == (["u"], "P", "pad")
    assert second.provider_specific_fields == {"citations": ["v"], "trace": 1, "own": 2}
    assert third.choices[0].extras == {"stop_reason": 5, "token_ids": [1]}
    assert fourth.choices[0].delta.mine == 1
    assert last.choices[0].extras == {"extra": 6}


def test_log_probabilities_are_never_lost() -> None:
    def logprobs(*tokens: str) -> Json:
        return {"content": [{"token": token, "logprob": -1.0} for token in tokens]}

    raw: list[Json] = [
        chunk({"content": "a"}),
        {"choices": [{"delta": {"content": ""}, "logprobs": logprobs("half")}]},
        {"choices": [{"delta": {"content": "b"}, "logprobs": logprobs("b")}]},
        {"choices": [{"delta": {"content": "c"}, "logprobs": {"refusal": []}}]},
        {"choices": [{"delta": {}, "logprobs": logprobs("end"), "finish_reason": "stop"}]},
    ]
    found = [it.choices[0].logprobs for it in normal(raw)]
    tokens = [it and it.content and [token.token for token in it.content] for it in found]

    assert tokens == [None, ["half", "b"], None, ["end"]]
    assert found[2] is not None
    assert found[2].refusal == []


def test_a_failing_decoder_fails_after_what_came_before() -> None:
    def decoder() -> Iterator[ModelResponseStream]:
        yield read_chunk(chunk({"content": "a"}))
        raise MalformedStreamError("cut")

    got = []
    with pytest.raises(MalformedStreamError, match="cut"):
        got += [*NormalForm().feed(decoder())]
    form = NormalForm()
    with pytest.raises(MalformedStreamError, match="cut"):
        for it in form.feed(decoder()):
            got.append(it)

    assert script(got) == ['R C"a"']


def test_one_form_takes_a_stream_in_any_portions() -> None:
    raw = TRANSCRIPTS["what says nothing"][0]
    form = NormalForm()
    portions = [out for value in raw for out in form.feed([read_chunk(value)])]

    assert [*portions, *form.end()] == normal(raw)


def test_the_usage_of_a_completion_adds_up() -> None:
    details = CompletionTokensDetails(reasoning_tokens=2)
    usage = Usage(completion_tokens=5, completion_tokens_details=details)
    form = NormalForm(include_usage=True)
    list(form.feed([ModelResponseStream(usage=usage)]))
    (last,) = form.end()

    assert last.usage == Usage(
        completion_tokens=5, total_tokens=5, completion_tokens_details=details
    )
    assert usage.total_tokens == 0
