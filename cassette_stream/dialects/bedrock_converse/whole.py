"""A Converse answer that came whole: the same chunks, by the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.dialects.bedrock_converse.decoder import Decoder
from cassette_stream.dialects.decoding import field, json_object
from cassette_stream.dialects.error_body import understand
from cassette_stream.dialects.errors import stream_error
from cassette_stream.dialects.whole import taken, whole_text

__all__ = ("whole_body",)


def whole_body(body: bytes, *, strict: bool = True) -> list[ModelResponseStream]:
    """The chunks for a response that is no stream, but one JSON text.

    Raises:
        APIError: It reports an error; the class says which.
        MalformedStreamError: It is no message: a page, or any other text.
        EmptyStreamError: There is nothing in it.
        StreamTruncatedError: It has no stop reason.
    """
    answer = json_object(whole_text(body))
    if "output" not in answer and (answer.get("error") or understand(answer).message):
        raise stream_error(answer)
    return taken(Decoder(strict=strict), _as_events(answer))


def _as_events(answer: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fewest events that say what *answer* does."""
    message = field(field(answer, "output", dict) or {}, "message", dict)
    if message is None:
        return
    yield "messageStart", {}
    for index, block in enumerate(field(message, "content", list) or ()):
        at = {"contentBlockIndex": index}
        for kind, part in _block_events(block):
            yield kind, {**at, **part}
        yield "contentBlockStop", at
    ending = ("stopReason", "additionalModelResponseFields")
    yield "messageStop", {name: answer[name] for name in ending if name in answer}
    rest = {*ending, "output"}
    yield "metadata", {name: it for name, it in answer.items() if name not in rest}


def _block_events(block: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(block, dict):  # the decoder has the words for that
        yield "contentBlockDelta", {"delta": block}
        return
    for kind, value in block.items():
        match kind:
            case "text":
                yield "contentBlockDelta", {"delta": {"text": value}}
            case "reasoningContent":
                text = value.get("reasoningText") if isinstance(value, dict) else None
                yield "contentBlockDelta", {"delta": {kind: value if text is None else text}}
            case "citationsContent" if isinstance(value, dict):
                for part in field(value, "content", list) or ():
                    yield "contentBlockDelta", {"delta": part}
                for citation in field(value, "citations", list) or ():
                    yield "contentBlockDelta", {"delta": {"citation": citation}}
            case _:
                yield "contentBlockStart", {"start": {kind: value}}
