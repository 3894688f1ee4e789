"""One choice of a response, put together from its deltas."""

from __future__ import annotations

from io import StringIO
from typing import Any, Final

from msgspec.structs import astuple

from cassette_stream.chunks.completion import Choices, Message
from cassette_stream.chunks.message_parts import Fields, Speech, Thoughts
from cassette_stream.chunks.parts import ChoiceLogprobs, FunctionCall
from cassette_stream.chunks.stream import Delta, StreamingChoices
from cassette_stream.chunks.tool_calls import ToolCallAccumulator

__all__ = ("Answer",)

# Where things stand in a choice and in a delta that are read as tuples.
_CONTENT: Final = Delta.__struct_fields__.index("content")
_CALLS: Final = Delta.__struct_fields__.index("tool_calls")
_ALL_BUT_ONE: Final = len(Delta.__struct_fields__) - 1
_LISTS: Final = ("reasoning_items", "images", "annotations")


class Answer:
    """A choice, as far as it was told; *seed* is what missing ids of its calls are made from."""

    def __init__(self, seed: str) -> None:
        self.calls = ToolCallAccumulator(seed=seed)
        self._role: str | None = None
        self._content = _Text()
        self._reasoning = _Text()
        self._refusal = _Text()
        self._thoughts = Thoughts()
        self._function_call: _FunctionCall | None = None
        self._speech: Speech | None = None
        self._lists: dict[str, list[Any]] = {}
        self._logprobs = Fields()
        self._fields = Fields()
        self._extras = Fields()
        self._choice_extras = Fields()
        self._finish_reason: str | None = None
        self._raw_finish_reason: str | None = None
        self._abnormal = False

    @property
    def text(self) -> str:
        return self._content.whole() or ""

    def add(self, choice: StreamingChoices) -> None:
        _, delta, finish_reason, raw_reason, abnormal, logprobs, extras = astuple(choice)
        told = astuple(delta)
        if told.count(None) != _ALL_BUT_ONE:
            self._add_any(told)
        # Nearly all deltas have text and nothing else, or arguments.
        elif told[_CONTENT]:
            self._content.write(told[_CONTENT])
        elif told[_CALLS]:
            self.calls.add(told[_CALLS])
        else:
            self._add_any(told)
        if finish_reason:
            self._finish_reason = finish_reason
            self._raw_finish_reason = raw_reason or self._raw_finish_reason
            self._abnormal = self._abnormal or abnormal
        if logprobs is not None:
            self._logprobs.add({name: value for name, value in logprobs if value is not None})
        if extras is not None:
            self._choice_extras.add(extras)

    def follow(self, said: tuple[Any, ...]) -> bool:
        """Take a normal delta that said one thing, if that is text or arguments; else nothing."""
        if text := said[_CONTENT]:
            self._content.write(text)
            return True
        return bool(said[_CALLS]) and self.calls.follow(said[_CALLS][0])

    def choice(self, index: int) -> Choices:
        """The choice as if the stream had ended here."""
        logprobs = self._logprobs.whole() or {}
        return Choices(
            index=index,
            message=self._message(),
            finish_reason=self._finish_reason,
            raw_finish_reason=self._raw_finish_reason,
            abnormal_finish=self._abnormal,
            logprobs=ChoiceLogprobs(
                content=logprobs.pop("content", None),
                refusal=logprobs.pop("refusal", None),
                extras=logprobs or None,
            )
            if logprobs
            else None,
            extras=self._choice_extras.whole(),
        )

    def warnings(self, index: int) -> list[str]:
        found = self.calls.warnings(finish_reason=self._finish_reason)
        unsigned = sum(
            block.type == "thinking" and block.signature is None
            for block in self._thoughts.blocks()
        )
        if unsigned:
            found.append(f"{unsigned} of the thinking blocks without a signature")
        return [f"choice {index}: {text}" for text in found]

    def _add_any(self, told: tuple[Any, ...]) -> None:
        """Take a delta that was *told* as a tuple."""
        role, content, calls, function_call, refusal, reasoning, thoughts, *others = told
        self._role = self._role or role
        if content is not None:
            self._content.say(content)
        self.calls.add(calls)
        if function_call is not None:
            self._function_call = self._function_call or _FunctionCall()
            self._function_call.add(function_call)
        if refusal is not None:
            self._refusal.say(refusal)
        if reasoning is not None:
            self._reasoning.say(reasoning)
        if thoughts is not None:
            self._thoughts.add(thoughts)
        if any(others):
            self._add_rarer(others)

    def _add_rarer(self, others: list[Any]) -> None:
        items, audio, images, annotations, fields, extras = others
        for name, more in zip(_LISTS, (items, images, annotations), strict=True):
            if more:
                self._lists.setdefault(name, []).extend(more)
        if audio is not None:
            self._speech = self._speech or Speech()
            self._speech.add(audio)
        self._fields.add(fields or {})
        self._extras.add(extras or {})

    def _message(self) -> Message:
        message = Message(
            role=self._role or "assistant",
            content=self._content.whole(),
            reasoning_content=self._reasoning.whole() or None,
            refusal=self._refusal.whole() or None,
            thinking_blocks=self._thoughts.blocks() or None,
            tool_calls=self.calls.calls or None,
            function_call=None if self._function_call is None else self._function_call.whole(),
            audio=None if self._speech is None else self._speech.whole(),
            provider_specific_fields=self._fields.whole(),
            extras=self._extras.whole(),
            **{name: list(items) for name, items in self._lists.items()},
        )
        if not message.content and (message.tool_calls or message.function_call or message.refusal):
            # The first chunk of a call or a refusal has an empty text, which is none.
            message.content = None
        return message


class _Text:
    """Text that grows, told from text of which there was none.

    `write` is for pieces that are not empty; `say` for all.
    """

    __slots__ = ("_buffer", "_said", "write")

    def __init__(self) -> None:
        self._buffer = StringIO()
        self._said = False
        self.write = self._buffer.write

    def say(self, piece: str) -> None:
        self._said = True
        self.write(piece)

    def whole(self) -> str | None:
        return self._buffer.getvalue() or ("" if self._said else None)


class _FunctionCall:
    def __init__(self) -> None:
        self._name: str | None = None
        self._arguments = StringIO()

    def add(self, piece: FunctionCall) -> None:
        self._name = self._name or piece.name
        self._arguments.write(piece.arguments)

    def whole(self) -> FunctionCall:
        return FunctionCall(name=self._name, arguments=self._arguments.getvalue())
