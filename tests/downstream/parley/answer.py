"""An answer that grows by the chunks of a chat completion."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


class ParleyError(Exception):
    """What users of this package are told to expect."""


class RefusedError(ParleyError):
    """The server would not answer; its argument is the status."""


class BrokenError(ParleyError):
    """The answer broke off; its argument is what there is of it."""


class Call:
    def __init__(self) -> None:
        self.id = self.name = ""
        self.pieces: list[str] = []

    def told(self, number: int) -> Json:
        arguments = "".join(self.pieces) or "{}"
        return {"id": self.id or f"call-{number}", "name": self.name, "arguments": arguments}

    @property
    def is_whole(self) -> bool:
        try:
            return isinstance(json.loads("".join(self.pieces)), dict)
        except ValueError:
            return False


class Answer:
    """The text, the calls and the finish reason so far."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.calls: list[Call] = []
        self.finish: str | None = None
        self._at: dict[int | None, Call] = {}

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def add(self, chunk: Json) -> None:
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta") or {}
            self.pieces.append(delta.get("content") or "")
            for fragment in delta.get("tool_calls") or ():
                self._go_on(fragment, fragment.get("function") or {})
            self.finish = choice.get("finish_reason") or self.finish

    def response(self) -> Json:
        calls = [call.told(number) for number, call in enumerate(self.calls)]
        return {"role": "assistant", "content": self.text, "tool_calls": calls}

    def _go_on(self, fragment: Json, function: Json) -> None:
        name, arguments = function.get("name") or "", function.get("arguments")
        if not isinstance(arguments, str):
            arguments = "" if arguments is None else json.dumps(arguments)
        call = self._call_of(fragment, name, arguments)
        call.id = call.id or fragment.get("id") or ""
        if name != call.name and not call.pieces:
            call.name += name
        if arguments:
            call.pieces.append(arguments)

    def _call_of(self, fragment: Json, name: str, arguments: str) -> Call:
        index, id_ = fragment.get("index"), fragment.get("id") or ""
        call = self._at.get(index)
        if index is None and id_:
            call = next((it for it in self.calls if it.id == id_), None)
        if call is None or (
            call.id not in {"", id_} if id_ else bool(name and arguments.strip() and call.is_whole)
        ):
            call = self._at[index] = Call()
            self.calls.append(call)
        return call
