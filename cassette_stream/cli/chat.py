"""`cassette-stream chat`: the answer of a model on the terminal, while it comes.

What is shown came: no finish reason, no token count and no end is made up. An answer that
breaks is told behind its text, with what there is to tell of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cassette_stream import storage
from cassette_stream.chunks import ChatCompletionDeltaToolCall, ModelResponseStream, Usage
from cassette_stream.cli.asking import Asked, at_loopback, at_provider
from cassette_stream.cli.screen import Screen
from cassette_stream.cli.terminal import count, duration
from cassette_stream.cli.tools_file import read_tools
from cassette_stream.client import CustomStreamWrapper, completion
from cassette_stream.clock import RealClock
from cassette_stream.exceptions import APIError, CassetteWriteError
from cassette_stream.session import use_cassette

__all__ = ("run",)

_COMPLETE, _FAILED, _MISUSED, _INTERRUPTED = 0, 1, 2, 130
_NOT_SHOWN = ("audio", "images", "annotations")


def run(
    model: str,
    prompt: str,
    *,
    live: bool,
    api_base: str | None,
    system: str | None,
    tools: Path | None,
    max_tokens: int | None,
    record: Path | None,
    **params: object,
) -> int:
    """Show what *model* says to *prompt*, and give the exit code.

    Args:
        model: As `completion` takes it.
        prompt: What the user says; ``-`` is standard input.
        live: Ask the provider itself.
        api_base: Ask what is there. Without either a loopback server answers.
        system: What is said before the prompt.
        tools: A file with the tools that the model may call.
        max_tokens: How much it may say.
        record: The cassette that will hold this run.
        params: Further arguments of `completion`.

    Raises:
        CassetteError: *record* cannot be written. It is tried before the model is asked.
    """
    screen = Screen()
    with ExitStack() as stack:
        try:
            messages = _messages(prompt, system)
            offered = None if tools is None else read_tools(tools)
            if live or api_base is not None:
                asked = at_provider(model, api_base)
            else:
                asked = stack.enter_context(at_loopback(model))
        except (APIError, ValueError) as error:
            screen.error(str(error))
            return _MISUSED
        if record is not None:
            stack.enter_context(_recording(record, screen))
        screen.row(asked.label, asked.text)
        # OpenAI's newer models refuse the older name, and others do not know the newer one.
        limit = "max_completion_tokens" if asked.endpoint.provider == "openai" else "max_tokens"
        params |= {"tools": offered, limit: max_tokens}
        return _Answer(screen, asked).follow(model, messages, **params)


def _messages(prompt: str, system: str | None) -> list[dict[str, str]]:
    if prompt == "-":
        data = sys.stdin.buffer.read()
        try:
            prompt = data.decode()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"standard input is no UTF-8 at byte {error.start}: a prompt is a text"
            ) from error
    said = {"role": "user", "content": prompt}
    return [said] if system is None else [{"role": "system", "content": system}, said]


@contextmanager
def _recording(file: Path, screen: Screen) -> Iterator[None]:
    # An answer may cost money: what can be known before it is known before it.
    with storage.locked(file):
        if file.exists() and not os.access(file, os.W_OK):
            raise CassetteWriteError(f"{str(file)!r} cannot be written: it is write-protected")
    with use_cassette(file, mode="rewrite") as session:
        yield
    if session.recorded:
        screen.row("recorded", str(file))


class _Answer:
    """One answer, from the request to its end, and the time that it takes."""

    def __init__(self, screen: Screen, asked: Asked) -> None:
        self._screen = screen
        self._asked = asked
        self._clock = RealClock()
        self._start = self._clock.now()
        self._first_ms: float | None = None
        self._chunks = 0
        self._not_shown: dict[str, None] = {}

    def follow(self, model: str, messages: list[dict[str, str]], **params: Any) -> int:
        """Ask, show what comes, and give the exit code."""
        try:
            stream = completion(
                model,
                messages,
                stream=True,
                stream_options={"include_usage": True},
                **self._asked.options,
                **params,
            )
        except (TypeError, ValueError) as error:
            self._screen.error(str(error))
            return _MISUSED
        except APIError as error:
            return self._fail(error)
        except KeyboardInterrupt:
            return self._stop()
        with stream:
            try:
                for chunk in stream:
                    self._show(chunk)
            except APIError as error:
                self._tell(stream)
                return self._fail(error)
            except KeyboardInterrupt:
                self._tell(stream)
                return self._stop()
            self._tell(stream)
        return _COMPLETE

    def _show(self, chunk: ModelResponseStream) -> None:
        self._chunks += 1
        if self._first_ms is None:
            self._first_ms = self._elapsed_ms()
        for delta in (choice.delta for choice in chunk.choices):
            if delta.reasoning_content:
                self._screen.beside("reasoning", delta.reasoning_content, style="dim")
            if delta.content:
                self._screen.text(delta.content)
            if delta.refusal:
                self._screen.beside("refusal", delta.refusal)
            for call in delta.tool_calls or ():
                self._show_call(call)
            self._not_shown |= {name: None for name in _NOT_SHOWN if getattr(delta, name)}

    def _show_call(self, call: ChatCompletionDeltaToolCall) -> None:
        if call.custom is not None:
            name, words = call.custom.name, call.custom.input
        else:
            name, words = call.function.name, call.function.arguments
        # The name stands in the first fragment of a call, and in no other.
        fragment = words if name is None else f"{name} {words}"
        self._screen.beside(f"call {call.index + 1}", fragment)

    def _tell(self, stream: CustomStreamWrapper) -> None:
        """What is known of the answer besides what it says."""
        for name in self._not_shown:
            self._screen.row("not shown", name)
        for warning in stream.warnings:
            self._screen.row("warning", warning)
        self._screen.row("finish", _finish(stream))
        self._screen.row("usage", _usage(stream.usage))
        self._screen.row("times", self._times())

    def _times(self) -> str:
        end = f"end {duration(self._elapsed_ms())}, {count(self._chunks, 'chunk')}"
        return end if self._first_ms is None else f"first chunk {duration(self._first_ms)}, {end}"

    def _elapsed_ms(self) -> float:
        return (self._clock.now() - self._start) * 1000

    def _stop(self) -> int:
        self._screen.row("stopped", "by you; the stream is closed")
        return _INTERRUPTED

    def _fail(self, error: APIError) -> int:
        message = self._asked.without_keys(error.message)
        self._screen.error(f"{type(error).__name__}: {message}")
        return _FAILED


def _finish(stream: CustomStreamWrapper) -> str:
    said = [
        reason if raw in {None, reason} else f"{reason} ({raw})"
        for index, reason in sorted(stream.finish_reasons.items())
        for raw in [stream.raw_finish_reasons.get(index)]
    ]
    return ", ".join(said) or "none came"


def _usage(usage: Usage | None) -> str:
    if usage is None:
        return "none was told"
    cached = thought = None
    if usage.prompt_tokens_details is not None:
        cached = usage.prompt_tokens_details.cached_tokens
    if usage.completion_tokens_details is not None:
        thought = usage.completion_tokens_details.reasoning_tokens
    given = f"{count(usage.prompt_tokens, 'token')} in{_share(cached, 'cached')}"
    return f"{given}, {usage.completion_tokens:,} out{_share(thought, 'reasoning')}"


def _share(number: int | None, of: str) -> str:
    return f" ({number:,} {of})" if number else ""
