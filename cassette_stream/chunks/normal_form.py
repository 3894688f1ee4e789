"""From the raw progress of a decoder to the stream that callers rely on.

For every choice, in this order: its first chunk has the role and the first of what it says;
every other has one kind of progress and no role; its finish chunk has an empty delta and the
reason. The usage chunk comes last of all, with one placeholder choice, only where it was asked
for and the provider reported any. Every chunk has one choice, and the id, time and model of
the stream. Normal chunks stay as they are.

Chunks that say nothing are left out; what they carry beside goes along with the next one. No
text, no finish reason and no count is ever made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias, TypeVar

from msgspec.structs import astuple

from cassette_stream.chunks.choice_form import ChoiceForm
from cassette_stream.chunks.completion import ModelResponse
from cassette_stream.chunks.parts import Json
from cassette_stream.chunks.stream import Delta, ModelResponseStream, StreamingChoices
from cassette_stream.chunks.usage import Usage, later_usage

__all__ = ("NormalForm", "Passed")

T = TypeVar("T")

Passed: TypeAlias = tuple[int, tuple[Any, ...], bool]
"""Of a chunk that passes: the index of its choice, its delta as a tuple of which one item is not
None, and whether that is all that it has beyond what the chunk before it had."""

# Where things stand in a delta that is read as a tuple.
_CONTENT, _REASONING, _CALLS = map(
    Delta.__struct_fields__.index, ("content", "reasoning_content", "tool_calls")
)
_ALL_BUT_ONE: Final = len(Delta.__struct_fields__) - 1


class NormalForm:
    """The state of one stream on its way to its callers.

    Args:
        include_usage: Whether the usage chunk was asked for.
        model: The name that was asked for; without it, the one that the provider says.
        id: For a stream whose provider gives none.
        created: The same, in seconds since 1970.
        hidden_params: What every chunk carries in ``_hidden_params``; the provider's name of
            the model is added as ``provider_response_model``.

    Attributes:
        usage: What was billed, as far as reported.
        finish_reasons: Why each choice ended, by its index.
        raw_finish_reasons: The same in the provider's own words.
    """

    def __init__(
        self,
        *,
        include_usage: bool = False,
        model: str | None = None,
        id: str = "",  # noqa: A002 - the field's own word
        created: int = 0,
        hidden_params: Json | None = None,
    ) -> None:
        self.usage: Usage | None = None
        self.finish_reasons: dict[int, str] = {}
        self.raw_finish_reasons: dict[int, str] = {}
        self._include_usage = include_usage
        self._head = _Head(id, created, model, hidden_params or {})
        self._choices: dict[int, ChoiceForm] = {}

    def feed(self, chunks: Iterable[ModelResponseStream]) -> Iterator[ModelResponseStream]:
        """The normal chunks that the raw *chunks* make, each as soon as it can be told.

        Chunks are changed in place where that will do. An exception of *chunks* comes
        through, after what came before it.
        """
        for chunk in chunks:
            if self.passes(chunk) is not None:
                yield chunk
            else:
                yield from self._unusual(chunk)

    def passes(self, chunk: ModelResponseStream) -> Passed | None:
        """What the raw *chunk* says, if it is normal but for what all have in common.

        Then it has that. Else nothing is taken of it: it is for `feed`. Nearly all chunks pass:
        one choice that has begun goes on with one kind of progress.
        """
        _, _, _, _, choices, fingerprint, usage, tier, fields, urls, _, _, extras = astuple(chunk)
        head = self._head
        if len(choices) != 1 or usage is not None or (fingerprint, tier) != head.beside:
            return None
        index, delta, finish_reason, _, _, logprobs, beside = astuple(choices[0])
        state = self._choices.get(index)
        if state is None or not state.plain or finish_reason:
            return None
        said = astuple(delta)
        if said.count(None) != _ALL_BUT_ONE or not (
            said[_CONTENT]
            or said[_REASONING]
            or (said[_CALLS] and state.calls.extend(said[_CALLS]))
        ):
            return None
        head.stamp(chunk)
        return index, said, fields is urls is extras is logprobs is beside is None

    def end(self) -> Iterator[ModelResponseStream]:
        """What is left when the stream is over: arguments that were held back, and usage."""
        rest = [choice for state in self._choices.values() for choice in state.flush()]
        for choice in rest:
            yield self._head.dress(ModelResponseStream(choices=[choice]))
        if self._include_usage and self.usage is not None:
            placeholder = [StreamingChoices()]
            chunk = ModelResponseStream(choices=placeholder, usage=self.usage)
            yield self._head.attach(chunk)

    def supplement(self, response: ModelResponse) -> None:
        """Add to *response*, which its chunks make, what was said and went along with none.

        That is the usage that nobody asked for, and what came beside it or behind a finish.
        """
        if response.usage is None:
            response.usage = self.usage
        if self._head.pending:
            response.provider_specific_fields = {
                **(response.provider_specific_fields or {}),
                **self._head.fields,
            }
        for choice in response.choices:
            state = self._choices.get(choice.index)
            if state is not None and state.extras:
                choice.extras = {**(choice.extras or {}), **state.extras}

    @property
    def complete(self) -> bool:
        """Whether there was a choice, and every one came to its end."""
        return bool(self._choices) and len(self.finish_reasons) == len(self._choices)

    @property
    def late(self) -> bool:
        """Whether a choice went on after its finish chunk; callers got that all the same."""
        return any(state.late for state in self._choices.values())

    @property
    def broken_calls(self) -> list[str]:
        """The tool calls that are to be made and cannot be, for their arguments are no JSON."""
        calling = (it for it in self._choices.values() if it.finish_reason == "tool_calls")
        return [call for state in calling for call in state.calls.broken]

    @property
    def warnings(self) -> list[str]:
        """What is odd about the stream so far."""
        found = []
        for index, state in self._choices.items():
            found += state.calls.warnings(finish_reason=state.finish_reason)
            if state.late:
                found.append(f"choice {index} went on after its finish reason")
        return found

    def _unusual(self, chunk: ModelResponseStream) -> Iterator[ModelResponseStream]:
        self._head.learn(chunk)
        if chunk.usage is not None:
            self.usage = later_usage(self.usage, chunk.usage)
            chunk.usage = None
        choices = [choice for raw in chunk.choices for choice in self._take(raw)]
        if not choices:
            self._head.put_by(chunk)
            return
        chunk.choices = choices[:1]
        yield self._head.attach(chunk)
        for choice in choices[1:]:
            yield self._head.dress(ModelResponseStream(choices=[choice]))

    def _take(self, raw: StreamingChoices) -> list[StreamingChoices]:
        state = self._choices.get(raw.index)
        if state is None:
            state = self._choices[raw.index] = ChoiceForm(raw.index, seed=self._head.id)
        choices = state.take(raw)
        if choices and choices[-1].finish_reason is not None:
            self.finish_reasons[raw.index] = choices[-1].finish_reason
            self.raw_finish_reasons[raw.index] = choices[-1].raw_finish_reason or ""
        return choices


class _Head:
    """What belongs to the stream as a whole, and what waits for its next chunk.

    The first id and time that are said hold for all chunks, once there was one; the
    fingerprint and the service tier hold until another is said.
    """

    __slots__ = (
        "_hidden",
        "_model",
        "_said",
        "_sent",
        "beside",
        "created",
        "fields",
        "fingerprint",
        "id",
        "pending",
        "tier",
    )

    def __init__(self, id: str, created: int, model: str | None, hidden: Json) -> None:  # noqa: A002
        self.id = id
        self.created = created
        self.fingerprint: str | None = None
        self.tier: str | None = None
        self.pending = False
        # What the last chunk said beside its words; None if the next has to say something new.
        self.beside: tuple[str | None, str | None] | None = None
        self._model = model or ""
        self._hidden = dict(hidden)
        self._said: set[str] = set()
        self._sent = False
        self.fields: Json = {}

    def learn(self, chunk: ModelResponseStream) -> None:
        self.fingerprint = chunk.system_fingerprint or self.fingerprint
        self.tier = chunk.service_tier or self.tier
        self.beside = None
        if chunk.model:
            self._hidden.setdefault("provider_response_model", chunk.model)
            self._model = self._model or chunk.model
        if not self._sent:
            self.id = self._first("id", chunk.id, self.id)
            self.created = self._first("created", chunk.created, self.created)

    def _first(self, name: str, said: T, known: T) -> T:
        if not said or name in self._said:
            return known
        self._said.add(name)
        return said

    def put_by(self, chunk: ModelResponseStream) -> None:
        """Keep what a *chunk* carries that says nothing itself."""
        beside = {**(chunk.extras or {}), "citations": chunk.citations}
        self.fields |= {name: value for name, value in beside.items() if value is not None}
        self.fields |= chunk.provider_specific_fields or {}
        self.pending = bool(self.fields)

    def attach(self, chunk: ModelResponseStream) -> ModelResponseStream:
        """*chunk* with what waited for it."""
        if self.pending:
            chunk.provider_specific_fields = self.fields | (chunk.provider_specific_fields or {})
            self.fields, self.pending = {}, False
        return self.dress(chunk)

    def dress(self, chunk: ModelResponseStream) -> ModelResponseStream:
        """*chunk* with everything that all chunks of the stream have in common."""
        self._sent = True
        chunk.system_fingerprint = self.fingerprint
        chunk.service_tier = self.tier
        self.beside = self.fingerprint, self.tier
        return self.stamp(chunk)

    def stamp(self, chunk: ModelResponseStream) -> ModelResponseStream:
        """The same for one that has the stream's fingerprint and service tier already."""
        chunk.id = self.id
        chunk.created = self.created
        chunk.model = self._model
        chunk._hidden_params = self._hidden  # noqa: SLF001 - the name that ported code reads
        return chunk
