"""Laws of streams, to be pointed at your own decoder, accumulator or client.

Each takes your function, runs it on what Hypothesis draws, and raises an `AssertionError`
that says which law is broken, by the smallest stream that shows it, and who sends such.
"""

from pytest_cassette_stream.laws.broken import LawError
from pytest_cassette_stream.laws.cases import QUIRKS
from pytest_cassette_stream.laws.checks import check_accumulator, check_decoder
from pytest_cassette_stream.laws.clients import check_client
from pytest_cassette_stream.laws.framing import FRAMING as FRAMING_RULES
from pytest_cassette_stream.laws.machine import accumulator_machine
from pytest_cassette_stream.laws.whatwg import RULES as SSE_RULES

__all__ = (
    "FRAMING_RULES",
    "QUIRKS",
    "SSE_RULES",
    "LawError",
    "accumulator_machine",
    "check_accumulator",
    "check_client",
    "check_decoder",
)
