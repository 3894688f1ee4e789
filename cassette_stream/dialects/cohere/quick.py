"""The two events that most of a stream of Cohere's are, read from their JSON at once."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ("CallDelta", "ContentDelta", "quick_event")


class _Quick(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What has further keys takes the thorough way."""


class _Content(_Quick):
    text: str = ""
    thinking: str = ""


class _ContentMessage(_Quick):
    content: _Content


class _ContentMessageDelta(_Quick):
    message: _ContentMessage


class ContentDelta(_Quick, tag_field="type", tag="content-delta"):
    index: int
    delta: _ContentMessageDelta


class _Function(_Quick):
    arguments: str


class _Call(_Quick):
    function: _Function


class _CallMessage(_Quick):
    tool_calls: _Call


class _CallMessageDelta(_Quick):
    message: _CallMessage


class CallDelta(_Quick, tag_field="type", tag="tool-call-delta"):
    index: int
    delta: _CallMessageDelta


quick_event: Final = msgspec.json.Decoder(ContentDelta | CallDelta).decode
"""Raises what a decoder of msgspec's does for every other event."""
