"""Accumulators of chat chunks: a correct one, and each fault that they are known to have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

Json = dict[str, Any]


class Call:
    def __init__(self) -> None:
        self.id = self.name = ""
        self.pieces: list[Any] = []

    @property
    def arguments(self) -> str:
        return "".join(self.pieces) or "{}"

    @property
    def is_whole(self) -> bool:
        try:
            return bool(self.pieces) and isinstance(json.loads("".join(self.pieces)), dict)
        except ValueError:
            return False


class Accumulator:
    """Without a fault: all that providers do is taken, but for arguments that are sent again."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.slots: dict[int | None, Call] = {}
        self.pieces: list[str] = []

    def add(self, chunk: Json) -> bool:
        """Take *chunk*, and say whether more are wanted."""
        for choice in chunk["choices"]:
            delta = choice["delta"]
            self.pieces.append(delta.get("content") or "")
            for fragment in delta.get("tool_calls") or ():
                function = fragment.get("function") or {}
                call = self.call_of(fragment, function)
                self.identify(call, fragment)
                self.rename(call, function.get("name") or "")
                self.argue(call, function.get("arguments"))
        return True

    def call_of(self, fragment: Json, function: Json) -> Call:
        index, call_id = fragment.get("index"), fragment.get("id")
        call = self.slots.get(index)
        if index is None and call_id:
            call = next((it for it in self.calls if it.id == call_id), None)
        if call is None or self.is_another(call, call_id, function):
            call = self.slots[index] = Call()
            self.calls.append(call)
        return call

    def is_another(self, call: Call, call_id: str | None, function: Json) -> bool:
        if call_id:
            return call.id not in {"", call_id}
        said = function.get("arguments")
        again = said.strip() if isinstance(said, str) else said
        return bool(function.get("name") and again and call.is_whole)

    def identify(self, call: Call, fragment: Json) -> None:
        call.id = call.id or fragment.get("id") or ""

    def rename(self, call: Call, name: str) -> None:
        if name != call.name and not call.pieces:
            call.name += name

    def argue(self, call: Call, piece: Any) -> None:
        if piece is not None and piece != "":
            call.pieces.append(piece if isinstance(piece, str) else json.dumps(piece))

    def response(self) -> Json:
        calls = [
            {"id": it.id or f"made_{n}", "name": it.name, "arguments": it.arguments}
            for n, it in enumerate(self.calls)
        ]
        return {"role": "assistant", "content": "".join(self.pieces), "tool_calls": calls}


def fed(make: Callable[[], Accumulator]) -> Callable[[Iterable[Json]], Json]:
    """The function that feeds what *make* makes."""

    def accumulate(chunks: Iterable[Json]) -> Json:
        accumulator = make()
        for chunk in chunks:
            if not accumulator.add(chunk):
                break
        return accumulator.response()

    return accumulate


class MergeByIndex0(Accumulator):
    """There is one call, whatever the fragments say."""

    def call_of(self, fragment: Json, function: Json) -> Call:
        self.calls = self.calls or [Call()]
        return self.calls[0]


class NameRepeated(Accumulator):
    """Names are put together as arguments are."""

    def rename(self, call: Call, name: str) -> None:
        call.name += name


class ArgumentsAsObject(Accumulator):
    """Arguments are thought to be text always."""

    def argue(self, call: Call, piece: Any) -> None:
        if piece:
            call.pieces.append(str(piece))


class QuadraticJoin(Accumulator):
    """With each piece all pieces are put together."""

    def add(self, chunk: Json) -> bool:
        "".join(self.pieces)
        return super().add(chunk)


class IdChange(Accumulator):
    """The last id counts, and be it empty."""

    def identify(self, call: Call, fragment: Json) -> None:
        call.id = fragment.get("id", call.id) or ""


class FinishBeforeLastFragment(Accumulator):
    """Nothing is read behind the finish reason."""

    def add(self, chunk: Json) -> bool:
        super().add(chunk)
        return all(choice["finish_reason"] is None for choice in chunk["choices"])


class EmptyArguments(Accumulator):
    """No arguments are no JSON."""

    def response(self) -> Json:
        said = super().response()
        for call, told in zip(self.calls, said["tool_calls"], strict=True):
            told["arguments"] = "".join(call.pieces)
        return said
