"""What the tests of the decoders share: bytes in, and what chunks say put together by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cassette_stream.chunks import ModelResponseStream, NormalForm, Usage
from cassette_stream.exceptions import APIError


@dataclass
class Told:
    """One answer, as its chunks tell it."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: dict[int, list[str]] = field(default_factory=dict)
    thinking: list[Any] = field(default_factory=list)
    native: dict[str, list[Any]] = field(default_factory=dict)
    reason: str | None = None


def told(chunks: Iterable[ModelResponseStream]) -> tuple[dict[int, Told], Usage | None]:
    """The answers by their index, and the last usage."""
    answers: dict[int, Told] = {}
    usage = None
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            answer, delta = answers.setdefault(choice.index, Told()), choice.delta
            answer.text += delta.content or ""
            answer.reasoning += delta.reasoning_content or ""
            answer.refusal += delta.refusal or ""
            answer.thinking += delta.thinking_blocks or ()
            answer.reason = choice.finish_reason or answer.reason
            for name, value in (delta.provider_specific_fields or {}).items():
                answer.native.setdefault(name, []).append(value)
            for call in delta.tool_calls or ():
                kept = answer.calls.setdefault(call.index, ["", "", ""])
                kept[0] += call.id or ""
                kept[1] += call.function.name or ""
                kept[2] += call.function.arguments
    return answers, usage


def arguments(answer: Told) -> list[tuple[str, Any]]:
    """The calls in their order: the name, and the value that the arguments spell."""
    return [(name, json.loads(text)) for _, (_, name, text) in sorted(answer.calls.items())]


def everything(decoder: Any, pieces: Iterable[bytes]) -> tuple[list[Any], Any]:
    """Every chunk that the *pieces* of a body give, and how it ended."""
    chunks: list[Any] = []
    try:
        for piece in pieces:
            for chunk in decoder.feed(piece):
                chunks.append(chunk.model_dump())
        for chunk in decoder.finish():
            chunks.append(chunk.model_dump())
    except APIError as error:
        return chunks, (type(error), error.message)
    return chunks, "complete"


@cache
def thorough(decoder: type[Any]) -> type[Any]:
    """The same *decoder*, to which no event is common."""
    return type("Thorough", (decoder,), {"__slots__": (), "_quick": lambda *_: None})


def decoded(decoder: Any, body: bytes) -> list[ModelResponseStream]:
    return [*decoder.feed(body), *decoder.finish()]


def normal(raw: Iterable[ModelResponseStream]) -> list[ModelResponseStream]:
    form = NormalForm(include_usage=True)
    return [*form.feed(raw), *form.end()]


def short(chunks: Iterable[ModelResponseStream]) -> list[str]:
    """A line for each chunk in normal form.

    R role, C content, T thought, K call, F finish, U usage; names of what is beside them.
    """
    words = []
    for chunk in chunks:
        if chunk.usage is not None:
            usage = chunk.usage
            words.append(f"U {usage.prompt_tokens}/{usage.completion_tokens}/{usage.total_tokens}")
            continue
        (choice,) = chunk.choices
        delta = choice.delta
        word = [f"{choice.index}:"] if choice.index else []
        word += ["R"] if delta.role else []
        word += [f"T{delta.reasoning_content!r}"] if delta.reasoning_content is not None else []
        word += [] if delta.reasoning_content else list(map(_block, delta.thinking_blocks or ()))
        word += [f"C{delta.content!r}"] if delta.content is not None else []
        word += [f"refusal {delta.refusal!r}"] if delta.refusal is not None else []
        for call in delta.tool_calls or ():
            name = [it for it in (call.id, call.function.name) if it]
            word.append(" ".join([f"K[{call.index}]", *name, repr(call.function.arguments)]))
        word += delta.provider_specific_fields or ()
        word += chunk.provider_specific_fields or ()
        word += [f"F {choice.finish_reason}"] if choice.finish_reason else []
        words.append(" ".join(word))
    return words


def _block(block: Any) -> str:
    told_ = block.model_dump(exclude_none=True)
    return " ".join(f"{name} {told_[name]!r}" for name in sorted(told_))


def event_data(body: bytes) -> Iterator[str]:
    """The data of each event, as a plain reading of the format has it."""
    text = re.sub(r"\r\n|\r", "\n", body.decode().removeprefix("\ufeff"))
    for block in text.split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n") if line[:5] == "data:"]
        if lines:
            yield "\n".join(lines)


def streams(corpus: Path, *formats: str) -> Iterator[tuple[str, bytes]]:
    """The id and the body of every public stream of these *formats*."""
    for line in (corpus / "corpus" / "public_index.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["format"] in formats:
            yield row["id"], (corpus / "corpus" / row["file"]).read_bytes()
