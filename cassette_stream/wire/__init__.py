"""Wire formats: bytes in, events out, and back."""

from cassette_stream.wire.eventstream import (
    EventStreamDecoder,
    EventStreamMessage,
    HeaderValue,
    encode_message,
)
from cassette_stream.wire.jsonarray import JSONArrayDecoder
from cassette_stream.wire.ndjson import NDJSONDecoder
from cassette_stream.wire.sse import (
    MAX_EVENT_BYTES,
    LocatedEvent,
    ServerSentEvent,
    SSEDecoder,
    encode_event,
)

__all__ = (
    "MAX_EVENT_BYTES",
    "EventStreamDecoder",
    "EventStreamMessage",
    "HeaderValue",
    "JSONArrayDecoder",
    "LocatedEvent",
    "NDJSONDecoder",
    "SSEDecoder",
    "ServerSentEvent",
    "encode_event",
    "encode_message",
)
