"""One tool call, as far as its fragments told."""

from __future__ import annotations

from cassette_stream.chunks.arguments import Arguments
from cassette_stream.chunks.completion import ChatCompletionMessageToolCall
from cassette_stream.chunks.parts import Custom, Function, Json
from cassette_stream.chunks.stream import NO_INDEX, ChatCompletionDeltaToolCall

__all__ = ("CallState",)


class CallState:
    """What is known of one call; its *index* is that of the normal form, once it has a name.

    It is *plain* if it has a name and calls a function: then its fragments are mostly text.
    """

    __slots__ = (
        "arguments",
        "custom",
        "extras",
        "fields",
        "id",
        "index",
        "name",
        "other_id",
        "plain",
        "raw_index",
        "slot",
    )

    def __init__(self, fragment: ChatCompletionDeltaToolCall) -> None:
        self.slot = fragment.index
        raw = fragment.index if fragment.raw_index is None else fragment.raw_index
        self.raw_index = None if raw < 0 else raw
        self.index = NO_INDEX
        self.plain = False
        self.id: str | None = None
        self.other_id: str | None = None
        self.name = ""
        self.custom = fragment.custom is not None or fragment.type == "custom"
        self.arguments = Arguments()
        self.fields: Json | None = None
        self.extras: Json | None = None

    def rename(self, name: str, call_id: str | None) -> str | None:
        """What *name* adds to the name: all of it, or the next piece of one that came in two."""
        known = self.name
        other = call_id not in {"", None, self.id}
        if known and (known.startswith(name) or len(self.arguments) or other):
            return None
        piece = name.removeprefix(known)
        self.name += piece
        return piece

    def note(self, fragment: ChatCompletionDeltaToolCall) -> bool:
        """Keep what a provider adds to a call; whether there is any."""
        if fragment.extras is None and fragment.provider_specific_fields is None:
            return False
        self.extras = _merged(self.extras, fragment.extras)
        self.fields = _merged(self.fields, fragment.provider_specific_fields)
        return True

    def delta(
        self, call_id: str | None, name: str | None, text: str
    ) -> ChatCompletionDeltaToolCall:
        if self.custom:
            return ChatCompletionDeltaToolCall(
                index=self.index,
                id=call_id,
                type="custom",
                custom=Custom(name=name, input=text),
                raw_index=self.raw_index,
            )
        return ChatCompletionDeltaToolCall(
            index=self.index,
            id=call_id,
            function=Function(name=name, arguments=text),
            raw_index=self.raw_index,
        )

    def whole(self, call_id: str) -> ChatCompletionMessageToolCall:
        text = self.arguments.whole
        call = ChatCompletionMessageToolCall(
            id=call_id,
            provider_specific_fields=_merged(None, self.fields),
            extras=_merged(None, self.extras),
        )
        if self.custom:
            call.type = "custom"
            call.custom = Custom(name=self.name, input=text)
        else:
            call.function = Function(name=self.name, arguments=text or "{}")
        return call


def _merged(known: Json | None, more: Json | None) -> Json | None:
    """A dict of its own with what both have."""
    return known if not more else {**(known or {}), **more}
