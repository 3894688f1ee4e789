"""What a line of Ollama's says besides texts: the tools that are called, and probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cassette_stream.chunks import (
    ChatCompletionDeltaToolCall,
    ChatCompletionTokenLogprob,
    ChoiceLogprobs,
    Function,
    TopLogprob,
    arguments_text,
)
from cassette_stream.dialects.decoding import call_id, field, text_of
from cassette_stream.exceptions import MalformedStreamError

__all__ = ("calls_of", "logprobs_of")


def calls_of(
    message: Mapping[str, Any], number: int, *, seed: str, strict: bool
) -> list[ChatCompletionDeltaToolCall]:
    """The calls in *message*, each of them whole; *number* came before them.

    The server's own numbers begin again in every line, or count otherwise.

    Raises:
        MalformedStreamError: One of them is none.
    """
    calls = []
    for index, value in enumerate(field(message, "tool_calls", list) or (), number):
        if not isinstance(value, Mapping):
            raise MalformedStreamError(f"a tool call must be an object, not {value!r}")
        function = field(value, "function", dict) or {}
        name = text_of(function, "name", strict=strict)
        given = function.get("arguments")
        if not (given is None or isinstance(given, dict | str)):
            raise MalformedStreamError(f"arguments must be an object, not {given!r}", body=message)
        arguments = arguments_text({} if given is None else given)
        id_ = text_of(value, "id", strict=strict) or call_id(seed, index, name, arguments)
        calls.append(
            ChatCompletionDeltaToolCall(
                index=index, id=id_, function=Function(name=name, arguments=arguments)
            )
        )
    return calls


def logprobs_of(line: Mapping[str, Any]) -> ChoiceLogprobs | None:
    """How probable the tokens of *line* were, and what else could have stood there.

    Raises:
        MalformedStreamError: A token or its probability is none.
    """
    tokens = [
        ChatCompletionTokenLogprob(
            **_token(token),
            top_logprobs=[
                TopLogprob(**_token(other)) for other in field(token, "top_logprobs", list) or ()
            ],
        )
        for token in field(line, "logprobs", list) or ()
    ]
    return ChoiceLogprobs(content=tokens) if tokens else None


def _token(value: Any) -> dict[str, Any]:
    logprob = value.get("logprob") if isinstance(value, Mapping) else None
    if isinstance(logprob, bool) or not isinstance(logprob, int | float):
        raise MalformedStreamError(f"a token must have its logprob, not {logprob!r}", body=value)
    return {
        "token": field(value, "token", str) or "",
        "logprob": float(logprob),
        "bytes": field(value, "bytes", list),
    }
