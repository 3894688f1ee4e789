"""Faults before the first byte of the body: in the head, or in place of the response."""

from cassette_stream.faults.head.answers import ANSWERS, Empty, Html, JsonCompletion, JsonError
from cassette_stream.faults.head.broken import BROKEN, Garbage, Headless, Silent
from cassette_stream.faults.head.delivery import (
    DELIVERY,
    Delay,
    LateFlush,
    TwoFramings,
    WrongContentType,
)
from cassette_stream.faults.head.redirects import REDIRECTS, RedirectLogin, RedirectLoop
from cassette_stream.faults.head.statuses import STATUSES, Page, RateLimit, Refusal

__all__ = (
    "FAULTS",
    "Delay",
    "Empty",
    "Garbage",
    "Headless",
    "Html",
    "JsonCompletion",
    "JsonError",
    "LateFlush",
    "Page",
    "RateLimit",
    "RedirectLogin",
    "RedirectLoop",
    "Refusal",
    "Silent",
    "TwoFramings",
    "WrongContentType",
)

FAULTS = (*BROKEN, *STATUSES, *REDIRECTS, *ANSWERS, *DELIVERY)
