"""What the events of one response add to the answer.

Most things are told three times, in deltas, when their item is done, and in the end. A
delta is passed on as it comes; what was told whole and never in deltas is passed on then,
so nothing is lost and nothing comes twice. Items are known by their place in the output:
their ids change from event to event with some servers. Unknown events are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from cassette_stream.chunks import (
    Delta,
    ModelResponseStream,
    StreamingChoices,
    Usage,
    read_chunk,
)
from cassette_stream.dialects.decoding import Chunks, text_of
from cassette_stream.dialects.error_body import complains
from cassette_stream.dialects.errors import finish_error
from cassette_stream.dialects.openai_responses.reading import (
    annotation,
    failure,
    mappings,
    place,
    seconds,
    usage,
)
from cassette_stream.dialects.openai_responses.tool_calls import CALLS, ToolCalls
from cassette_stream.exceptions import MalformedStreamError, StreamProtocolError

__all__ = ("Progress",)

Json: TypeAlias = Mapping[str, Any]

# Between two parts of the reasoning: each is a paragraph, or several.
_PARAGRAPH = "\n\n"


class Progress:
    """The state of one response; *ended* once an event told its end, well or badly.

    *calls* are its tool calls, and *speaking* is the place of the message that had the last
    delta. What is left out because *strict* is off goes to *warnings*.
    """

    __slots__ = (
        "_created",
        "_id",
        "_images",
        "_kinds",
        "_model",
        "_strict",
        "_thought",
        "_told",
        "_warnings",
        "calls",
        "ended",
        "speaking",
    )

    def __init__(self, *, strict: bool, warnings: list[str]) -> None:
        self.ended = False
        self.calls = ToolCalls(strict=strict)
        self.speaking = -1
        self._strict = strict
        self._warnings = warnings
        self._id = ""
        self._created = 0
        self._model = ""
        self._told: set[tuple[str, int]] = set()  # what was told of the item at which place
        self._kinds: set[str] = set()  # of which kinds anything was told
        self._thought: tuple[object, ...] | None = None  # the last part of the reasoning
        self._images = 0

    def take(self, event: Json) -> Chunks:
        """The chunks that *event* makes; the rest of it is told while iterating.

        Raises:
            MalformedStreamError: While iterating, as all: a value has the wrong type.
            StreamProtocolError: A delta belongs to no tool call, or a tool call is told
                otherwise in the end.
            APIError: The provider reports an error; the class says which.
        """
        kind = event.get("type")
        anonymous = kind is None and (
            event.get("error") or event.get("object") == "error" or complains(event)
        )
        if kind == "error" or anonymous:
            self.ended = True
            raise failure(event.get("error") or event, event)
        response = event.get("response")
        if isinstance(response, Mapping):
            self._note(response)
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is not None:
            yield from handler(self, event)

    def created(self, event: Json) -> Chunks:
        """Nothing, at the beginning; what has begun does not begin again."""
        if self.calls or self._kinds:
            raise StreamProtocolError("the response began again, in its middle", body=event)
        return iter(())

    def _note(self, response: Json) -> None:
        self._id = self._id or self._text(response, "id")
        self._model = self._model or self._text(response, "model")
        self._created = self._created or seconds(response.get("created_at"))

    def _text(self, value: Json, name: str) -> str:
        return text_of(value, name, strict=self._strict)

    def chunk(self, delta: Delta) -> ModelResponseStream:
        return ModelResponseStream(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[StreamingChoices(delta=delta)],
        )

    def _tell(self, kind: str, index: int) -> None:
        self._told.add((kind, index))
        self._kinds.add(kind)

    def speak(self, index: int) -> None:
        self.speaking = index
        self._tell("message", index)

    def said(self, event: Json) -> Chunks:
        """A delta of text or of a refusal."""
        words = self._text(event, "delta")
        if not words:
            return
        self.speak(place(event, default=0))
        if event["type"] == "response.refusal.delta":
            yield self.chunk(Delta(refusal=words))
            return
        chunk = self.chunk(Delta(content=words))
        if event.get("logprobs"):
            logprobs = {"content": event["logprobs"]}
            (choice,) = read_chunk({"choices": [{"logprobs": logprobs}]}).choices
            chunk.choices[0].logprobs = choice.logprobs
        yield chunk

    def reasoned(self, event: Json) -> Chunks:
        """A delta of reasoning."""
        index = place(event, default=0)
        number = event.get("summary_index", event.get("content_index"))
        words = self._text(event, "delta")
        if words:
            self._tell("reasoning", index)
            yield self._reasoning((event["type"], index, number), words)

    def _reasoning(self, part: tuple[object, ...], words: str) -> ModelResponseStream:
        if self._thought is not None and self._thought != part:
            words = _PARAGRAPH + words
        self._thought = part
        return self.chunk(Delta(reasoning_content=words))

    def annotated(self, event: Json) -> Chunks:
        note = event.get("annotation")
        if isinstance(note, Mapping):
            self._tell("annotations", place(event, default=0))
            yield self.chunk(Delta(annotations=[annotation(note)]))

    def added(self, event: Json) -> Chunks:
        item, index = _item(event), place(event)
        # There are servers that put everything at place 0: each item there begins anew.
        self._told = {told for told in self._told if told[1] != index}
        self.speaking = -1
        if self._text(item, "type") in CALLS:
            start = self.calls.begin(index, item)
            if start is not None:
                yield self.chunk(Delta(tool_calls=[start]))

    def argued(self, event: Json) -> Chunks:
        """A delta of the arguments of a call, or of the input of a custom one."""
        words = self._text(event, "delta")
        if words:
            call = self.calls.at(place(event))
            yield self.chunk(Delta(tool_calls=[call.add(words)]))

    def argued_whole(self, event: Json) -> Chunks:
        call = self.calls.at(place(event))
        rest = self.calls.settle(call, event)
        if rest is not None:
            yield self.chunk(Delta(tool_calls=[rest]))

    def done(self, event: Json) -> Chunks:
        return self._whole_item(place(event), _item(event))

    def _whole_item(self, index: int, item: Json) -> Chunks:
        """What of an *item* its deltas have not told."""
        kind = self._text(item, "type")
        if kind in CALLS:
            for fragment in self.calls.end(index, item):
                yield self.chunk(Delta(tool_calls=[fragment]))
        elif kind == "message":
            yield from self._whole_message(index, item)
        elif kind == "reasoning":
            yield from self._whole_reasoning(index, item)
        elif kind == "image_generation_call":
            yield from self._image(item)

    def _whole_message(self, index: int, item: Json) -> Chunks:
        spoken = ("message", index) in self._told
        noted = ("annotations", index) in self._told
        for part in mappings(item, "content"):
            for name in ("text", "refusal"):
                words = self._text(part, name)
                if words and not spoken:
                    self.speak(index)
                    delta = Delta(content=words) if name == "text" else Delta(refusal=words)
                    yield self.chunk(delta)
            for note in mappings(part, "annotations"):
                if not noted:
                    self._tell("annotations", index)
                    yield self.chunk(Delta(annotations=[annotation(note)]))

    def _whole_reasoning(self, index: int, item: Json) -> Chunks:
        thought = ("reasoning", index) in self._told
        field = "summary" if item.get("summary") else "content"
        for number, part in enumerate(mappings(item, field)):
            words = self._text(part, "text")
            if words and not thought:
                self._tell("reasoning", index)
                yield self._reasoning((field, index, number), words)
        # What the next request must hold, so that the model can go on from its thoughts.
        if item.get("encrypted_content"):
            self._tell("reasoning", index)
            yield self.chunk(Delta(reasoning_items=[dict(item)]))

    def _image(self, item: Json) -> Chunks:
        data = self._text(item, "result")
        if data:
            form = self._text(item, "output_format") or "png"
            url = {"url": f"data:image/{form};base64,{data}"}
            image = {"type": "image_url", "index": self._images, "image_url": url}
            self._images += 1
            self._kinds.add("image_generation_call")
            yield self.chunk(Delta(images=[image]))

    def end(self, event: Json) -> Chunks:
        response = event.get("response")
        if not isinstance(response, Mapping):
            raise MalformedStreamError(f"{event['type']} without a response", body=event)
        told = frozenset(self._kinds)
        for index, item in enumerate(mappings(response, "output")):
            kind = self._text(item, "type")
            # Some servers leave items out here, so that a place says little: a call is known by
            # its id, and of anything else this counts if there was none of its kind before.
            if not self.calls.knows(item) if kind in CALLS else kind not in told:
                yield from self._whole_item(index, item)
        details = response.get("incomplete_details")
        reason = ""
        if isinstance(details, Mapping):
            reason = self._text(details, "reason")
        if broken := finish_error(reason):
            self.ended = True
            raise broken
        if not reason and event["type"] == "response.incomplete":
            reason = "incomplete"
        chunk = self.chunk(Delta())
        chunk.choices[0].finish_reason = reason or ("tool_calls" if self.calls else "stop")
        chunk.usage = self._billed(response)
        chunk.service_tier = self._text(response, "service_tier") or None
        self.ended = True
        yield chunk

    def _billed(self, response: Json) -> Usage | None:
        try:
            return usage(response.get("usage"), strict=self._strict)
        except MalformedStreamError as error:
            if self._strict:
                raise
            self._warnings.append(f"usage was left out: {error.message}")
            return None

    def fail(self, event: Json) -> Chunks:
        self.ended = True
        response = event.get("response")
        raise failure(response.get("error") if isinstance(response, Mapping) else None, event)


def _item(event: Json) -> Json:
    item = event.get("item")
    if not isinstance(item, Mapping):
        raise MalformedStreamError(f"{event['type']} without an item: {item!r}", body=event)
    return item


_HANDLERS: Mapping[str, Callable[[Progress, Json], Chunks]] = {
    "response.output_text.delta": Progress.said,
    "response.function_call_arguments.delta": Progress.argued,
    "response.completed": Progress.end,
    "response.created": Progress.created,
    "response.custom_tool_call_input.delta": Progress.argued,
    "response.custom_tool_call_input.done": Progress.argued_whole,
    "response.failed": Progress.fail,
    "response.function_call_arguments.done": Progress.argued_whole,
    "response.incomplete": Progress.end,
    "response.output_item.added": Progress.added,
    "response.output_item.done": Progress.done,
    "response.output_text.annotation.added": Progress.annotated,
    "response.reasoning_summary_text.delta": Progress.reasoned,
    "response.reasoning_text.delta": Progress.reasoned,
    "response.refusal.delta": Progress.said,
}
