"""Tool calls, put together from the fragments in which they are streamed.

Which call a fragment belongs to: by its index; but a new id with a name (or after complete
arguments) on an index in use begins another call, for there are servers that give every
call index 0; without an index by its id, and without either to the last call. The first id
and the first name win, empty ones say nothing, and a call is told of only once it has a
name. Whether arguments are complete is never judged by what could still be a prefix.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from msgspec.structs import astuple

from cassette_stream.chunks.arguments import is_json
from cassette_stream.chunks.call_state import CallState
from cassette_stream.chunks.completion import ChatCompletionMessageToolCall
from cassette_stream.chunks.reading import read_tool_call
from cassette_stream.chunks.stream import NO_INDEX, ChatCompletionDeltaToolCall

__all__ = ("ToolCallAccumulator",)


class ToolCallAccumulator:
    """The tool calls of one answer.

    Fragments may be ours, dicts, or objects of an SDK; *seed* (the id of the response, say)
    is what the ids of calls without an id are made from.
    """

    def __init__(self, *, seed: str = "") -> None:
        self._seed = seed
        self._all: list[CallState] = []
        self._told: list[CallState] = []
        self._slots: dict[int, CallState] = {}
        self._ids: dict[str, CallState] = {}

    def __len__(self) -> int:
        """How many calls there are."""
        return len(self._told)

    def add(self, fragments: Iterable[object] | None) -> None:
        """Take the *fragments* of one delta, its ``tool_calls``; None is none.

        Raises:
            TypeError: A fragment is neither a mapping nor has a ``model_dump``.
            MalformedStreamError: A field of it is of another type.
        """
        for fragment in fragments or ():
            ours = (
                fragment
                if isinstance(fragment, ChatCompletionDeltaToolCall)
                else read_tool_call(fragment)
            )
            if self._extended(ours) is None:
                self.take(ours)

    def take(self, fragment: ChatCompletionDeltaToolCall) -> ChatCompletionDeltaToolCall | None:
        """Take one *fragment*, and give what it adds, in normal form.

        There the index counts calls from 0 in the order in which they got their names, the
        id stands in one fragment of a call, and so does the name. None if it adds nothing.
        """
        custom = fragment.custom
        name, text = (
            (fragment.function.name, fragment.function.arguments)
            if custom is None
            else (custom.name, custom.input)
        )
        call = self._call_of(fragment, name, text)
        noted = call.note(fragment)
        new_id = self._identify(call, fragment.id) if fragment.id else None
        new_name = call.rename(name, fragment.id) if name else None
        added = call.arguments.add(text) if text else ""
        if call.index == NO_INDEX:
            if not call.name:
                return None
            call.index = len(self._told)
            call.plain = not call.custom
            self._told.append(call)
            delta = call.delta(call.id, call.name, call.arguments.text)
            delta.extras, delta.provider_specific_fields = call.extras, call.fields
            return delta
        if not (new_id or new_name or added or noted):
            return None
        delta = call.delta(new_id, new_name, added)
        if noted:
            delta.extras = fragment.extras
            delta.provider_specific_fields = fragment.provider_specific_fields
        return delta

    def extend(self, fragments: list[ChatCompletionDeltaToolCall]) -> bool:
        """Take *fragments* that are one, and that only adds arguments to a call; quickly.

        It is made normal in place. Anything else is left as it is, to be taken by `take`.
        """
        call = self._extended(fragments[0]) if len(fragments) == 1 else None
        if call is None:
            return False
        fragment = fragments[0]
        fragment.id = None
        fragment.index = call.index
        fragment.raw_index = call.raw_index
        return True

    def follow(self, fragment: ChatCompletionDeltaToolCall) -> bool:
        """Take a *fragment* that another accumulator's `extend` made normal; else nothing."""
        call = self._slots.get(fragment.index)
        return (
            call is not None and call.plain and call.arguments.append(fragment.function.arguments)
        )

    def _extended(self, fragment: ChatCompletionDeltaToolCall) -> CallState | None:
        """The call that *fragment* only adds arguments to; None, nothing taken, if it does more."""
        index, call_id, function, kind, custom, _, fields, extras = astuple(fragment)
        call = self._slots.get(index)
        if (
            call is not None
            and call.plain
            and not call_id
            and kind == "function"
            and custom is fields is extras is None
        ):
            name, text, _ = astuple(function)
            if not name and call.arguments.append(text):
                return call
        return None

    def flush(self) -> list[ChatCompletionDeltaToolCall]:
        """Give what was held back, for a stream that breaks off here."""
        rests = [(call, call.arguments.settle()) for call in self._told]
        return [call.delta(None, None, rest) for call, rest in rests if rest]

    def finish(self) -> list[ChatCompletionDeltaToolCall]:
        """Give what is missing at the end of the answer: ``{}`` as arguments, made ids."""
        deltas = []
        for call in self._told:
            rest = call.arguments.settle()
            if not rest and not call.custom and not len(call.arguments):
                rest = call.arguments.add("{}")
            new_id = None if call.id else self._identify(call, self._made_id(call))
            if rest or new_id:
                deltas.append(call.delta(new_id, None, rest))
        return deltas

    @property
    def calls(self) -> list[ChatCompletionMessageToolCall]:
        """The calls, as they would be if the stream ended here."""
        return [call.whole(call.id or self._made_id(call)) for call in self._told]

    def preview(self, index: int) -> str:
        """A beginning of the arguments of a call: all of them but for the last fifth at most.

        *index* is that of the normal form. Made to be asked after every fragment: all
        answers together cost a small multiple of the text.

        Raises:
            IndexError: There is no such call yet.
        """
        return self._told[index].arguments.preview()

    @property
    def broken(self) -> list[str]:
        """The calls whose arguments are no JSON, in words."""
        return [_which(call) for call in self._told if _is_broken(call)]

    def warnings(self, *, finish_reason: str | None = None) -> list[str]:
        """What is odd about the calls so far; *finish_reason* tells why the answer ended."""
        found = []
        for call in self._all:
            if call.other_id is not None:
                found.append(f"tool call {call.id!r} was called {call.other_id!r} later")
            if call.index == NO_INDEX:
                found.append(f"a tool call never got a name (id {call.id!r}) and was left out")
                continue
            which = _which(call)
            if call.arguments.resent:
                found.append(f"{which}: arguments were sent again from their start")
            if finish_reason and _is_broken(call):
                cut = "were cut by the length limit" if finish_reason == "length" else "are no JSON"
                found.append(f"{which}: arguments {cut}")
        return found

    def _call_of(
        self, fragment: ChatCompletionDeltaToolCall, name: str | None, text: str
    ) -> CallState:
        index = fragment.index
        if index < 0:
            call = self._without_index(fragment.id, name, text)
        else:
            call = self._slots.get(index)
            if call is not None and (name or fragment.id):
                call = self._again(call, fragment.id, name, text)
        if call is None:
            call = CallState(fragment)
            self._all.append(call)
            if index >= 0:
                self._slots[index] = call
        return call

    def _again(
        self, call: CallState, call_id: str | None, name: str | None, text: str
    ) -> CallState | None:
        """What a fragment means that names itself on the slot of *call*; None: a new call."""
        if call_id:
            known = self._ids.get(call_id)
            if known is not None and known.slot == call.slot:
                return known
            if call.id is not None:
                return None if name or call.arguments.closed else call
            return None if name and call.arguments.closed else call
        if name and text and not text.isspace() and call.arguments.closed:
            again = (name, text) == (call.name, call.arguments.text)
            return call if again else None
        return call

    def _without_index(self, call_id: str | None, name: str | None, text: str) -> CallState | None:
        last = self._all[-1] if self._all else None
        if call_id:
            late = last is not None and last.id is None and not name
            return self._ids.get(call_id) or (last if late else None)
        if last is not None and name and last.name and last.arguments.closed:
            # Blanks behind the arguments are no call.
            return last if name == last.name and text.isspace() else None
        return last

    def _identify(self, call: CallState, call_id: str) -> str | None:
        """*call_id* if it is the first of *call*, which it then names."""
        if call.id is None:
            call.id = call_id
            self._ids.setdefault(call_id, call)
            return call_id
        if call_id != call.id:
            call.other_id = call.other_id or call_id
        return None

    def _made_id(self, call: CallState) -> str:
        digest = blake2b(f"{self._seed}\n{call.index}".encode(), digest_size=12)
        return f"call_{digest.hexdigest()}"


def _which(call: CallState) -> str:
    return f"tool call {call.index} ({call.name})"


def _is_broken(call: CallState) -> bool:
    return not call.custom and not is_json(call.arguments.whole or "{}")
