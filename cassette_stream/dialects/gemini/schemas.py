"""JSON schemas of functions, as Gemini takes them: without words that it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cassette_stream.dialects.messages import Json

__all__ = ("parameters",)

_REFUSED: Final = frozenset({"$id", "$schema", "additionalProperties", "strict"})
# Below these the keys are names that the caller chose.
_NAMED: Final = frozenset({"properties"})
# And these hold values, whose keys mean nothing here.
_VALUES: Final = frozenset({"const", "default", "enum", "example", "examples"})
_REFERENCES: Final = frozenset({"$defs", "definitions"})


def parameters(schema: Json) -> Json:
    """The field of a function declaration that says *schema*.

    A schema that refers to its own parts goes out as it is, in the field for whole JSON
    schemas; the other one knows no references.
    """
    if schema.keys() & _REFERENCES:
        return {"parametersJsonSchema": schema}
    return {"parameters": _simpler(schema)}


def _simpler(schema: Any, *, names: bool = False) -> Any:
    if isinstance(schema, list):
        return [_simpler(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: value
        if key in _VALUES and not names
        else _simpler(value, names=not names and key in _NAMED)
        for key, value in schema.items()
        if names or key not in _REFUSED
    }
