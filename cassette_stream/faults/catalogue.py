"""All faults there are, by id; each layer's module holds its own rows."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cassette_stream.faults import body, connect, end, head, json, sem, sse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cassette_stream.faults.info import FaultInfo

__all__ = ("catalogue",)

_LAYERS = (connect, head, body, sse, json, sem, end)
_CATALOGUE = MappingProxyType({info.id: info for layer in _LAYERS for info in layer.FAULTS})


def catalogue() -> Mapping[str, FaultInfo]:
    """The faults by id, in the order of the layers."""
    return _CATALOGUE
