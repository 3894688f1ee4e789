"""The objects that the official SDKs give for a stream, without their clients.

They are built as the SDKs build them: fields that a model does not know are kept, and nothing
is checked. A package is imported only when its objects are asked for.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias, get_args

from cassette_stream.dialects.encoding import compact

__all__ = ("builder", "objects")

Json: TypeAlias = dict[str, Any]

_PACKAGES = {
    "openai_chat": ("openai", "openai.types.chat"),
    "openai_responses": ("openai", "openai.types.responses"),
    "anthropic": ("anthropic", "anthropic.types"),
    "gemini": ("google-genai", "google.genai.types"),
    "cohere": ("cohere", "cohere.v2.types"),
    "ollama": ("ollama", "ollama"),
    "bedrock_converse": ("botocore", "botocore.parsers"),
    "bedrock_invoke": ("botocore", "botocore.parsers"),
}


def objects(dialect: str, events: Iterable[Json]) -> list[Any]:
    """What the SDK gives for *events*.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    build = builder(dialect)
    # Anthropic's client keeps these to itself.
    return [build(event) for event in events if event.get("type") != "ping"]


@cache
def builder(dialect: str) -> Callable[[Json], Any]:
    """What makes an object of an event.

    Raises:
        ModuleNotFoundError: The SDK is not installed.
    """
    package, module = _PACKAGES[dialect]
    try:
        types = import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"as_='sdk' gives the objects of {package} for {dialect}, and that is not "
            f"installed: pip install {package}",
            name=error.name,
        ) from error
    return _BUILDERS[dialect](types)


def _of_botocore(parsers: Any, operation: str) -> Callable[[Json], Json]:
    """What makes of an event the dict that the client gives: without what it does not know."""
    session = import_module("botocore.session").get_session()
    service = session.get_service_model("bedrock-runtime")
    shape = service.operation_model(operation).get_event_stream_output()
    parser = parsers.EventStreamJSONParser()

    def parse(event: Json) -> Json:
        [(kind, value)] = event.items()
        headers = {":message-type": "event", ":event-type": kind}
        frame = {"headers": headers, "body": compact(value).encode(), "status_code": 200}
        parsed: Json = parser.parse(frame, shape)
        return parsed

    return parse


def _base64(event: Json) -> str:
    return b64encode(compact(event).encode()).decode()


def _of_union(annotated: Any) -> Callable[[Json], Any]:
    """What makes of an event the one of several classes whose ``type`` it has."""
    union, *_ = get_args(annotated)
    classes: Mapping[str, Any] = {
        name: each
        for each in get_args(union)
        for name in get_args(each.model_fields["type"].annotation)
    }
    return lambda event: classes[event["type"]].construct(**event)


def _of_gemini(types: Any) -> Callable[[Json], Any]:
    validate: Callable[[Json], Any] = types.GenerateContentResponse.model_validate
    return validate


def _of_invoke(parsers: Any) -> Callable[[Json], Json]:
    parse = _of_botocore(parsers, "InvokeModelWithResponseStream")
    return lambda event: parse({"chunk": {"bytes": _base64(event)}})


_BUILDERS: Mapping[str, Callable[[Any], Callable[[Json], Any]]] = {
    "openai_chat": lambda types: lambda event: types.ChatCompletionChunk.construct(**event),
    "openai_responses": lambda types: _of_union(types.ResponseStreamEvent),
    "anthropic": lambda types: _of_union(types.RawMessageStreamEvent),
    "gemini": _of_gemini,
    "cohere": lambda types: _of_union(types.V2ChatStreamResponse),
    "ollama": lambda types: lambda event: types.ChatResponse(**event),
    "bedrock_converse": lambda parsers: _of_botocore(parsers, "ConverseStream"),
    "bedrock_invoke": _of_invoke,
}
