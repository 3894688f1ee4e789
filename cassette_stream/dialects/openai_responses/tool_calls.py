"""The tool calls of one response, each at its place in the output.

A call begins when its item is added, grows by deltas, and is told whole when it is done.
The id is the one that its result must be sent back with, not that of the item.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, TypeAlias

from cassette_stream.chunks import ChatCompletionDeltaToolCall, Custom, arguments_text
from cassette_stream.dialects.decoding import text_of
from cassette_stream.exceptions import StreamProtocolError

__all__ = ("CALLS", "ToolCall", "ToolCalls")

Json: TypeAlias = Mapping[str, Any]

CALLS = frozenset({"custom_tool_call", "function_call"})
"""The items that call a tool of the caller's."""

_KNOWN = frozenset({"arguments", "call_id", "id", "input", "name", "status", "type"})


class ToolCall:
    """A call so far; *number* counts calls from 0, *index* is its place in the output.

    *ended* says that its item was told whole.
    """

    __slots__ = ("_custom", "_sent", "ended", "id", "index", "name", "number")

    def __init__(self, number: int, index: int, *, id: str, name: str, custom: bool) -> None:  # noqa: A002
        self.number = number
        self.index = index
        self.id = id
        self.name = name
        self.ended = False
        self._custom = custom
        self._sent = StringIO()

    @property
    def sent(self) -> str:
        """The arguments that were passed on."""
        return self._sent.getvalue()

    def may_be(self, call_id: str) -> bool:
        """Whether an item with *call_id*, which may be missing, tells of this call."""
        return self.id == call_id or not (self.ended or (self.id and call_id))

    def identify(self, call_id: str) -> ChatCompletionDeltaToolCall | None:
        """The fragment that says *call_id*, None if that is known."""
        if not call_id or self.id == call_id:
            return None
        self.id = call_id
        fragment = self.add("")
        fragment.id = call_id
        return fragment

    def add(self, words: str) -> ChatCompletionDeltaToolCall:
        """The fragment that adds *words* to the arguments."""
        self._sent.write(words)
        fragment = ChatCompletionDeltaToolCall(index=self.number, raw_index=self.index)
        if self._custom:
            fragment.type = "custom"
            fragment.custom = Custom(input=words)
        else:
            fragment.function.arguments = words
        return fragment


class ToolCalls:
    """All calls; true once there is one. *open* are the last ones at their places."""

    __slots__ = ("_ids", "_number", "_strict", "open")

    def __init__(self, *, strict: bool) -> None:
        self.open: dict[int, ToolCall] = {}
        self._ids: set[str] = set()
        self._number = 0
        self._strict = strict

    def __bool__(self) -> bool:
        return self._number > 0

    def knows(self, item: Json) -> bool:
        """Whether the call that *item* tells has begun."""
        return text_of(item, "call_id", strict=self._strict) in self._ids

    def at(self, index: int) -> ToolCall:
        """The call at *index*.

        Raises:
            StreamProtocolError: There is none.
        """
        call = self.open.get(index)
        if call is None:
            raise StreamProtocolError(
                f"arguments for the item at output_index {index}, which is no tool call"
            )
        return call

    def begin(self, index: int, item: Json) -> ChatCompletionDeltaToolCall | None:
        """The fragment that begins the call of *item*, None if it has begun already."""
        call_id = text_of(item, "call_id", strict=self._strict)
        known = self.open.get(index)
        if known is not None and known.may_be(call_id):
            self._ids.add(call_id)
            return known.identify(call_id)
        name = text_of(item, "name", strict=self._strict)
        custom = item["type"] == "custom_tool_call"
        call = ToolCall(self._number, index, id=call_id, name=name, custom=custom)
        self._number += 1
        self._ids.add(call_id)
        self.open[index] = call
        fragment = call.add(_told(item))
        fragment.id = call_id or None
        named = fragment.custom if fragment.custom is not None else fragment.function
        named.name = name or None
        extras = {key: value for key, value in item.items() if key not in _KNOWN}
        fragment.extras = {key: value for key, value in extras.items() if value is not None} or None
        return fragment

    def end(self, index: int, item: Json) -> Iterator[ChatCompletionDeltaToolCall]:
        """What of the call of *item* was not told yet: all of it, its last words, or nothing."""
        start = self.begin(index, item)
        if start is not None:
            yield start
        call = self.open[index]
        call.ended = True
        rest = self.settle(call, item)
        if rest is not None:
            yield rest

    def settle(self, call: ToolCall, told: Json) -> ChatCompletionDeltaToolCall | None:
        """What of its arguments, *told* as a whole, the *call* lacks.

        Raises:
            StreamProtocolError: They are others than those that were streamed.
        """
        whole, sent = _told(told), call.sent
        if whole == sent or not whole:
            return None
        if whole.startswith(sent):
            return call.add(whole[len(sent) :])
        if _same_json(whole, sent):
            return None
        raise StreamProtocolError(
            f"the arguments of {call.name or 'a tool'} ({call.id}) were streamed as "
            f"{_shown(sent)}, and told as {_shown(whole)} in the end",
            body=told,
        )


def _told(item: Json) -> str:
    return arguments_text(item.get("arguments", item.get("input")))


def _same_json(one: str, other: str) -> bool:
    """Whether both spell the same value: some servers write it anew in the end."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except (ValueError, RecursionError):
        return False


def _shown(words: str) -> str:
    return repr(words if len(words) <= 60 else f"{words[:60]}...")
