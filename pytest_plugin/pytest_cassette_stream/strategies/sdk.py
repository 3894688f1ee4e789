"""The objects that the official SDKs give for a stream, without their clients.

They are built as the SDKs build them: fields that a model does not know are kept, and nothing
is checked. A package is imported only when its objects are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias, get_args

__all__ = ("builder", "objects")

Json: TypeAlias = dict[str, Any]

_PACKAGES = {
    "openai_chat": ("openai", "openai.types.chat"),
    "openai_responses": ("openai", "openai.types.responses"),
    "anthropic": ("anthropic", "anthropic.types"),
    "gemini": ("google-genai", "google.genai.types"),
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
    match dialect:
        case "openai_chat":
            return lambda event: types.ChatCompletionChunk.construct(**event)
        case "gemini":
            validate: Callable[[Json], Any] = types.GenerateContentResponse.model_validate
            return validate
        case "anthropic":
            return _of_union(types.RawMessageStreamEvent)
        case _:
            return _of_union(types.ResponseStreamEvent)


def _of_union(annotated: Any) -> Callable[[Json], Any]:
    """What makes of an event the one of several classes whose ``type`` it has."""
    union, *_ = get_args(annotated)
    classes: Mapping[str, Any] = {
        name: each
        for each in get_args(union)
        for name in get_args(each.model_fields["type"].annotation)
    }
    return lambda event: classes[event["type"]].construct(**event)
