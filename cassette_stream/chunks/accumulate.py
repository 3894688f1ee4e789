"""Chunks in, one response out, at any time.

What a response says is what its chunks said: nothing is estimated, no finish reason is
made up, and what is odd stands in its *warnings*. A chunk costs the same however many came
before. The order of chunks counts, their times do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import astuple, replace

from cassette_stream.chunks.answer import Answer
from cassette_stream.chunks.completion import ModelResponse
from cassette_stream.chunks.message_parts import Fields
from cassette_stream.chunks.normal_form import Passed
from cassette_stream.chunks.parts import Json
from cassette_stream.chunks.reading import read_chunk
from cassette_stream.chunks.stream import ModelResponseStream, StreamingChoices
from cassette_stream.chunks.tool_calls import ToolCallAccumulator
from cassette_stream.chunks.usage import Usage, later_usage

__all__ = ("ResponseAccumulator", "stream_chunk_builder")


def stream_chunk_builder(
    chunks: Iterable[object],
    messages: object = None,  # noqa: ARG001 - ported code passes it, for a count that is never made
) -> ModelResponse | None:
    """The whole response that *chunks* streamed, None if there are none.

    Chunks may be ours, dicts in OpenAI's shape, or those of an SDK, in normal form or raw.

    Raises:
        TypeError: A chunk is neither a mapping nor has a ``model_dump``.
        MalformedStreamError: A field of one is of another type; the text says which.
    """
    accumulator = ResponseAccumulator()
    for chunk in chunks:
        accumulator.add(chunk)
    return accumulator.response()


class ResponseAccumulator:
    """The response so far."""

    def __init__(self) -> None:
        self._head: ModelResponse | None = None
        self._said: tuple[object, ...] = ()
        self._fields = Fields()
        self._extras: Json = {}
        self._usage: Usage | None = None
        self._answers: dict[int, Answer] = {}

    def add(self, chunk: object) -> None:
        """Take a *chunk*: ours, a dict in OpenAI's shape, or an SDK's. It is not changed.

        Raises:
            TypeError: It is neither a mapping nor has a ``model_dump``.
            MalformedStreamError: A field is of another type; the text says which.
        """
        ours = chunk if isinstance(chunk, ModelResponseStream) else read_chunk(chunk)
        name, _, created, model, choices, print_, usage, tier, fields, urls, _, _, extras = astuple(
            ours
        )
        head = (name, created, model, print_, tier)
        if head != self._said or not (usage is fields is urls is extras is None):
            self._said = head
            self._learn(ours)
        for choice in choices:
            answer = self._answers.get(choice.index)
            if answer is None:
                # A usage chunk has a placeholder, which is no answer.
                if choice == StreamingChoices(index=choice.index) and usage is not None:
                    continue
                answer = self._answers[choice.index] = Answer(f"{ours.id}\n{choice.index}")
            answer.add(choice)

    def follow(self, chunk: ModelResponseStream, passed: Passed) -> None:
        """Take a *chunk* that *passed* a `NormalForm`, whose chunks before it were all taken.

        The same as `add`; quicker, because it does not look again at what is known.
        """
        index, said, alone = passed
        answer = self._answers.get(index)
        if answer is None or not alone or not answer.follow(said):
            self.add(chunk)

    def response(self) -> ModelResponse | None:
        """The response as if the stream had ended here, None before the first chunk.

        It is yours: later chunks do not change it.
        """
        head = self._head
        if head is None:
            return None
        answers = sorted(self._answers.items())
        return ModelResponse(
            id=head.id,
            created=head.created,
            model=head.model,
            choices=[answer.choice(index) for index, answer in answers],
            usage=None if self._usage is None else replace(self._usage),
            system_fingerprint=head.system_fingerprint,
            service_tier=head.service_tier,
            citations=None if head.citations is None else list(head.citations),
            provider_specific_fields=self._fields.whole(),
            warnings=[text for index, answer in answers for text in answer.warnings(index)],
            extras=dict(self._extras) or None,
            _hidden_params=head._hidden_params,  # noqa: SLF001 - ours
        )

    def text(self, index: int = 0) -> str:
        """The answer's text so far, of the choice with that *index*."""
        answer = self._answers.get(index)
        return "" if answer is None else answer.text

    def tool_calls(self, index: int = 0) -> ToolCallAccumulator:
        """The tool calls so far, of the choice with that *index*; for reading only."""
        answer = self._answers.get(index)
        return ToolCallAccumulator() if answer is None else answer.calls

    def _learn(self, chunk: ModelResponseStream) -> None:
        if self._head is None:
            self._head = ModelResponse(id="", created=0, model="", choices=[])
        head = self._head
        head.id = head.id or chunk.id
        head.created = head.created or chunk.created
        head.model = chunk.model or head.model
        head.system_fingerprint = head.system_fingerprint or chunk.system_fingerprint
        head.service_tier = chunk.service_tier or head.service_tier
        head.citations = chunk.citations or head.citations
        head._hidden_params = head._hidden_params or chunk._hidden_params  # noqa: SLF001 - ours
        self._extras |= chunk.extras or {}
        self._fields.add(chunk.provider_specific_fields or {})
        if chunk.usage is not None:
            self._usage = later_usage(self._usage, chunk.usage)
