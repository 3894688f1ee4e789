"""All faults there are, by id; each layer's module holds its own rows.

The layers are imported when somebody first asks: a replay that nobody breaks needs none.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cassette_stream.faults.info import FaultInfo

__all__ = ("catalogue",)


@cache
def catalogue() -> Mapping[str, FaultInfo]:
    """The faults by id, in the order of the layers."""
    from cassette_stream.faults import (  # noqa: PLC0415 - see above
        body,
        connect,
        end,
        head,
        json,
        sem,
        sse,
    )

    layers = (connect, head, body, sse, json, sem, end)
    return MappingProxyType({info.id: info for layer in layers for info in layer.FAULTS})
