"""One candidate of a Gemini response: its parts in, chunks out.

Calls are counted over the whole stream, and have an id even where the provider gives none. Its
finish reason is held until the end of the body; the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cassette_stream.chunks import (
    Audio,
    ChatCompletionDeltaToolCall,
    ChatCompletionTokenLogprob,
    ChoiceLogprobs,
    Delta,
    Function,
    ModelResponseStream,
    StreamingChoices,
    Thinking,
    ThinkingBlock,
    TopLogprob,
    arguments_text,
    normal_finish_reason,
)
from cassette_stream.dialects.decoding import Chunks, call_id, field, text_of
from cassette_stream.dialects.errors import finish_error
from cassette_stream.dialects.gemini.calls import CallParts
from cassette_stream.exceptions import MalformedStreamError

__all__ = ("Answer",)

_UNDERSTOOD: Final = frozenset({"content", "finishReason", "index"})
_OF_TEXTS: Final = frozenset({"text", "thought", "thoughtSignature"})
# With enums as numbers, the ones on which both of the provider's APIs agree.
_NUMBERED: Final = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
)


class Answer:
    """Where one candidate stands; its *reason* is None until there is one.

    Args:
        index: Which candidate it is.
        seed: What the ids of its calls are made of: the same in every replay.
        strict: Whether a number where a text belongs is an error.
    """

    __slots__ = (
        "_calls",
        "_extras",
        "_images",
        "_index",
        "_parts",
        "_raw_reason",
        "_refusal",
        "_seed",
        "_strict",
        "_thoughts",
        "reason",
    )

    def __init__(self, index: int, *, seed: str, strict: bool) -> None:
        self.reason: str | None = None
        self._raw_reason: str | None = None
        self._refusal: str | None = None
        self._extras: dict[str, Any] = {}
        self._index = index
        self._seed = seed
        self._strict = strict
        self._calls = self._images = self._thoughts = 0
        self._parts = CallParts()

    def end(self, reason: str, message: str, *, raw: str | None = None) -> None:
        """Note why it ended; the *message* to an answer that was filtered is its refusal."""
        self.reason, self._raw_reason = reason, raw
        filtered = normal_finish_reason(reason)[0] == "content_filter"
        self._refusal = (message or None) if filtered else None

    def take(self, candidate: Mapping[str, Any]) -> Chunks:
        """What *candidate* adds.

        Raises:
            MalformedStreamError: While iterating, as all: it is not as the format says.
            StreamProtocolError: A part of a function call that never began.
            APIError: Its finish reason reports a failure.
        """
        content = field(candidate, "content", dict) or {}
        reason = self._reason_of(candidate)
        choices = [self._choice(it) for it in self._deltas(field(content, "parts", list) or ())]
        extras = {name: it for name, it in candidate.items() if name not in _UNDERSTOOD}
        logprobs = field(extras, "logprobsResult", dict)
        if reason:
            self.end(reason, self._text(candidate, "finishMessage"))
            self._extras |= extras
        elif extras and not choices:
            choices = [self._choice(Delta())]
        if choices:
            choices[0].logprobs = _logprobs(logprobs or {})
            choices[-1].extras = None if reason else extras or None
        for choice in choices:
            yield ModelResponseStream(choices=[choice])
        if failure := finish_error(reason):
            raise failure

    def last_chunks(self) -> Chunks:
        """What was held back until the end of the body, once."""
        calls = [self._call(call) for call in self._parts.finish()]
        choice = self._choice(Delta(tool_calls=calls or None, refusal=self._refusal))
        choice.finish_reason, choice.raw_finish_reason = self.reason, self._raw_reason
        choice.extras = self._extras or None
        yield ModelResponseStream(choices=[choice])

    def _choice(self, delta: Delta) -> StreamingChoices:
        return StreamingChoices(index=self._index, delta=delta)

    def _text(self, value: Mapping[str, Any], name: str) -> str:
        return text_of(value, name, strict=self._strict)

    def _reason_of(self, candidate: Mapping[str, Any]) -> str:
        reason = candidate.get("finishReason")
        if isinstance(reason, int) and not isinstance(reason, bool):
            return _NUMBERED[reason] if 0 <= reason < len(_NUMBERED) else str(reason)
        return self._text(candidate, "finishReason")

    def _deltas(self, parts: Iterable[object]) -> Iterator[Delta]:
        """What *parts* say, calls that follow each other in one delta."""
        calls: list[ChatCompletionDeltaToolCall] = []
        for part in parts:
            if not isinstance(part, Mapping):
                raise MalformedStreamError(f"a part must be an object, not {part!r}")
            call = field(part, "functionCall", dict)
            if call is not None:
                signature = self._text(part, "thoughtSignature")
                signed = {**call, "thoughtSignature": signature} if signature else call
                calls += map(self._call, self._parts.add(signed))
                continue
            if calls:
                yield Delta(tool_calls=calls)
                calls = []
            if (delta := self._delta(part)) is not None:
                yield delta
        if calls:
            yield Delta(tool_calls=calls)

    def _call(self, call: Mapping[str, Any]) -> ChatCompletionDeltaToolCall:
        name, arguments = self._text(call, "name"), arguments_text(call["args"])
        number, self._calls = self._calls, self._calls + 1
        signature = call.get("thoughtSignature")
        return ChatCompletionDeltaToolCall(
            index=number,
            id=self._text(call, "id") or call_id(self._seed, number, name, arguments),
            function=Function(name=name, arguments=arguments),
            provider_specific_fields={"thought_signature": signature} if signature else None,
        )

    def _delta(self, part: Mapping[str, Any]) -> Delta | None:
        signature = self._text(part, "thoughtSignature") or None
        signed = {"thought_signatures": [signature]} if signature else None
        text = self._text(part, "text")
        if part.get("thought") and (text or signature):
            blocks = [self._thought(text, signature)] if signature else None
            return Delta(reasoning_content=text or None, thinking_blocks=blocks)
        if text:
            return Delta(content=text, provider_specific_fields=signed)
        if media := self._media(field(part, "inlineData", dict) or {}):
            media.provider_specific_fields = signed
            return media
        if part.keys() <= _OF_TEXTS:
            return Delta(provider_specific_fields=signed) if signed else None
        return Delta(provider_specific_fields={"parts": [part]})

    def _thought(self, text: str, signature: str | None) -> ThinkingBlock:
        index, self._thoughts = self._thoughts, self._thoughts + 1
        return Thinking(thinking=text, signature=signature, index=index)

    def _media(self, inline: Mapping[str, Any]) -> Delta | None:
        kind, data = self._text(inline, "mimeType"), self._text(inline, "data")
        if kind.startswith("image/"):
            index, self._images = self._images, self._images + 1
            url = {"url": f"data:{kind};base64,{data}"}
            return Delta(images=[{"type": "image_url", "index": index, "image_url": url}])
        if kind.startswith("audio/"):
            return Delta(audio=Audio(data=data, extras={"mime_type": kind}))
        return None


def _logprobs(result: Mapping[str, Any]) -> ChoiceLogprobs | None:
    """The tokens that were chosen and, beside each, those that could have been."""
    chosen = field(result, "chosenCandidates", list) or ()
    others = field(result, "topCandidates", list) or ()
    tokens = [ChatCompletionTokenLogprob(**_token(token), top_logprobs=[]) for token in chosen]
    for token, place in zip(tokens, others, strict=False):
        among = field(place, "candidates", list) or ()
        token.top_logprobs = [TopLogprob(**_token(other)) for other in among]
    return ChoiceLogprobs(content=tokens) if tokens else None


def _token(value: Mapping[str, Any]) -> dict[str, Any]:
    logprob = value.get("logProbability")
    if isinstance(logprob, bool) or not isinstance(logprob, int | float):
        raise MalformedStreamError(f"logProbability must be a number, not {logprob!r}", body=value)
    return {"token": field(value, "token", str) or "", "logprob": float(logprob)}
