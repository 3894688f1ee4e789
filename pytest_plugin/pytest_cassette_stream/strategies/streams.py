"""Whole streams of a provider: the answer, the bytes for it, and the chunks that they make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import Any, Literal, TypeAlias

from hypothesis import strategies as st
from msgspec.structs import replace

from cassette_stream import (
    ChatCompletionMessageToolCall,
    Choices,
    Function,
    Message,
    ModelResponse,
    NormalForm,
    RedactedThinking,
    Thinking,
    Usage,
    dialects,
)
from pytest_cassette_stream.strategies import sdk
from pytest_cassette_stream.strategies.carried import CARRIED
from pytest_cassette_stream.strategies.completions import completions as all_completions
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.options import one_of, strategy, whole_number
from pytest_cassette_stream.strategies.wires import events_of

__all__ = ("ChunkStream", "chunk_streams")

As: TypeAlias = Literal["dicts", "chunks", "sdk"]
_FORMS = ("dicts", "chunks", "sdk")
# The one with the fewest draws comes first: so the simplest example is the simplest of it.
_ANY = ("openai_responses", *(name for name in CARRIED if name != "openai_responses"))

_OF_EVERYTHING = ModelResponse(
    id="1",
    created=0,
    model="m",
    choices=[
        Choices(
            message=Message(
                content="a",
                refusal="b",
                thinking_blocks=[
                    Thinking(thinking="c", signature="d"),
                    RedactedThinking(data="ZQ=="),
                ],
                reasoning_content="c",
                tool_calls=[
                    ChatCompletionMessageToolCall(
                        id="2", function=Function(name="f", arguments="{}")
                    )
                ],
            ),
            finish_reason="tool_calls",
        )
    ],
    usage=Usage(),
)


@dataclass(frozen=True)
class ChunkStream:
    """The stream of a *completion* in a *dialect*.

    Two are equal where all of these are, and a stream shows itself by them.

    Args:
        dialect: "openai_chat", "openai_responses", "anthropic", "gemini", "cohere", "ollama",
            "bedrock_converse" or "bedrock_invoke".
        completion: What is answered. `expected` holds where the dialect carries all of it, as
            it does for ``completions(dialect=...)``.
        pieces: How texts and arguments are cut into deltas: sizes in characters, taken in
            turn, where a 0 is a delta of nothing; None cuts much as tokens are.
        interleave: Choices and tool calls take turns, a delta each. Not for "anthropic",
            "ollama" and Bedrock, where one comes after the other.
        as_: What `chunks` are.

    Raises:
        TypeError: *pieces* are no tuple of numbers.
        ValueError: There is no such dialect or form, the *completion* is none for it, or
            *pieces* are no sizes.
    """

    dialect: str
    completion: ModelResponse
    pieces: tuple[int, ...] | None = None
    interleave: bool = False
    as_: As = "dicts"

    def __post_init__(self) -> None:
        one_of("dialect", self.dialect, CARRIED)
        one_of("as_", self.as_, _FORMS)
        if self.pieces is not None:
            if not isinstance(self.pieces, tuple):
                raise TypeError(f"pieces are a tuple of sizes, or None, not {self.pieces!r}")
            if max([whole_number("pieces", size, low=0) for size in self.pieces], default=0) < 1:
                raise ValueError(f"one of the pieces is above 0, and none of {self.pieces!r} is")
        _ = self.events  # so that what cannot be sent is refused here

    @cached_property
    def events(self) -> tuple[bytes, ...]:
        """The bytes of each event, line or frame."""
        options: dict[str, Any] = {}
        if self.pieces is not None:
            options["pieces"] = self._cut
        if CARRIED[self.dialect].interleaved:
            options["interleave"] = self.interleave
        elif self.interleave:
            raise ValueError(f"{self.dialect} sends one after the other: interleave is False")
        if self.dialect == "openai_chat":
            options["include_usage"] = self.completion.usage is not None
        return tuple(getattr(dialects, self.dialect).encode(self.completion, **options))

    @property
    def body(self) -> bytes:
        return b"".join(self.events)

    @property
    def chunks(self) -> list[Any]:
        """The stream as its reader gets it, made anew each time, so that it may be changed.

        "dicts" are the JSON of the events, without ``[DONE]``, and for "bedrock_converse" by
        their types, as in ``{"messageStop": {...}}``; "chunks" are
        `cassette_stream.ModelResponseStream` as `completion` streams them, with a usage chunk
        and without ``_hidden_params``; "sdk" are what the provider's official SDK gives.
        """
        match self.as_:
            case "dicts":
                return self._dicts()
            case "chunks":
                return self._chunks()
            case "sdk":
                return sdk.objects(self.dialect, self._dicts())

    @property
    def expected(self) -> ModelResponse:
        """What a correct decoder and accumulator make of the stream.

        It is the completion, with the provider's own words for the finish reasons.
        """
        words = CARRIED[self.dialect].finishes
        choices = [
            replace(choice, raw_finish_reason=words.get(choice.finish_reason or ""))
            for choice in self.completion.choices
        ]
        return replace(self.completion, choices=choices)

    def _cut(self, text: str) -> Iterator[str]:
        start = 0
        for size in cycle(self.pieces or ()):
            if start >= len(text):
                return
            yield text[start : start + size]
            start += size

    def _dicts(self) -> list[dict[str, Any]]:
        return events_of(self.dialect, self.body)

    def _chunks(self) -> list[Any]:
        decoder = getattr(dialects, self.dialect).Decoder()
        form = NormalForm(include_usage=True)
        chunks = [*form.feed(decoder.feed(self.body)), *form.feed(decoder.finish()), *form.end()]
        for chunk in chunks:
            chunk._hidden_params = None  # noqa: SLF001 - the name that ported code reads
        return chunks


def chunk_streams(
    *,
    dialect: str | None = None,
    as_: As = "dicts",
    completions: st.SearchStrategy[ModelResponse] | None = None,
) -> st.SearchStrategy[ChunkStream]:
    """Streams of a provider, as `ChunkStream`: a completion, its bytes, its chunks.

    Texts and arguments are cut into deltas at any character; choices and parallel tool calls
    come in turns or one after the other. Shrinks to an empty answer.

    Args:
        dialect: "openai_chat", "openai_responses", "anthropic", "gemini", "cohere", "ollama",
            "bedrock_converse" or "bedrock_invoke"; None for any.
        as_: What `ChunkStream.chunks` are: "dicts", "chunks" (ours) or "sdk" (the objects of
            openai, anthropic, google-genai, cohere or ollama, and the dicts of botocore).
        completions: What is answered; by default ``completions(dialect=dialect)``, with up to
            three choices where the dialect has several. Takes a *dialect* too.

    Raises:
        TypeError: *completions* is no strategy.
        ValueError: There is no such *dialect* or form, or *completions* come without one.
        ModuleNotFoundError: The SDK that was asked for is not installed.
    """
    one_of("as_", as_, _FORMS)
    if dialect is None:
        if completions is not None:
            raise ValueError("completions= are those of one dialect: give dialect= as well")
        return st.one_of([chunk_streams(dialect=each, as_=as_) for each in _ANY])
    carried = CARRIED[one_of("dialect", dialect, CARRIED)]
    if as_ == "sdk":
        # SDKs finish their classes when they first need them. That is done here, for it
        # takes longer than Hypothesis allows an example.
        _ = ChunkStream(dialect, _OF_EVERYTHING, as_="sdk").chunks
    if completions is None:
        most = 3 if carried.several_choices else 1
        completions = all_completions(dialect=dialect, max_choices=most)
    sizes = st.integers(1, 8) | st.just(1_000)
    return made(
        ChunkStream,
        st.just(dialect),
        strategy("completions", completions),
        st.none() | made(_sizes, sizes, st.lists(st.integers(0, 8), max_size=3)),
        st.booleans() if carried.interleaved else st.just(False),
        st.just(as_),
    )


def _sizes(first: int, others: Iterable[int]) -> tuple[int, ...]:
    return first, *others
