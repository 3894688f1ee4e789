"""Good inputs for the fuzzed readers, drawn by Hypothesis: the same ones for the same seed."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from strategies_cassette import cassettes, event_bodies, json_values
from strategies_completions import completions, cuts
from strategies_faults import plans, rules

from cassette_stream.cassette import dumps
from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)
from cassette_stream.faults import text_of, write_plan
from cassette_stream.wire import encode_message

__all__ = ("examples",)

_NAMES = st.sampled_from([":event-type", ":content-type", "x", "\u00e9"])
_VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary() | st.text() | st.uuids()


def _streams(dialect: Any) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda whole, pieces: b"".join(dialect.encode(whole, pieces=pieces)), completions(), cuts()
    )


_STRATEGIES: dict[str, st.SearchStrategy[bytes]] = {
    "cassettes": cassettes().map(dumps),
    "events": event_bodies,
    "messages": st.lists(
        st.builds(encode_message, st.dictionaries(_NAMES, _VALUES, max_size=3), st.binary()),
        min_size=1,
        max_size=4,
    ).map(b"".join),
    "arrays": st.lists(
        st.dictionaries(st.text(max_size=4), json_values, max_size=3), max_size=4
    ).map(lambda value: json.dumps(value).encode()),
    "lines": st.lists(json_values, max_size=4).map(
        lambda values: b"".join(json.dumps(value).encode() + b"\n" for value in values)
    ),
    "openai_chat": _streams(openai_chat),
    "openai_responses": _streams(openai_responses),
    "anthropic": _streams(anthropic),
    "bedrock_converse": _streams(bedrock_converse),
    "bedrock_invoke": _streams(bedrock_invoke),
    "cohere": _streams(cohere),
    "gemini": _streams(gemini),
    "ollama": _streams(ollama),
    "plans": plans().map(write_plan).map(str.encode),
    "rules": rules().map(text_of).map(str.encode),
}


def examples(strategy: str, count: int, seed: int) -> list[bytes]:
    """What Hypothesis draws first, by a *seed*."""
    found: list[bytes] = []

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(_STRATEGIES[strategy])
    def collect(drawn: bytes) -> None:
        found.append(drawn)

    collect()
    return found
