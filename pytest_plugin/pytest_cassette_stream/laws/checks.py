"""The checks of decoders and accumulators: their arguments, and which laws they run in which order.

Whole streams come before pieces, and answers before beginnings and cost, so that what is
told first is what is easiest to mend.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, get_args

import hypothesis
from hypothesis import strategies as st

from pytest_cassette_stream.laws.accumulators import AccumulatorLaws
from pytest_cassette_stream.laws.cases import QUIRKS, framed, plain, quirks_of, quirky
from pytest_cassette_stream.laws.cost import costs_are_linear
from pytest_cassette_stream.laws.decoders import DecoderLaws, cut
from pytest_cassette_stream.laws.framing import FRAMING
from pytest_cassette_stream.laws.long_streams import long_streams
from pytest_cassette_stream.laws.running import checked, hold
from pytest_cassette_stream.laws.whatwg import RULES, spelt, streams
from pytest_cassette_stream.strategies.carried import CARRIED
from pytest_cassette_stream.strategies.options import chosen, flag, one_of
from pytest_cassette_stream.strategies.streams import As

__all__ = ("check_accumulator", "check_decoder")


def check_decoder(
    decode: Callable[[Any], Any],
    *,
    dialect: str | None = None,
    exclude: str | Collection[str] = (),
    settings: hypothesis.settings | None = None,
    seed: int | None = None,
) -> None:
    """Two laws: what comes out is what the stream says, and any way to cut it gives the same.

    Args:
        decode: Takes an iterable of chunks of bytes, which is an asynchronous one too, and
            gives what it decodes: a list, an iterator, or the same asynchronously. Without a
            *dialect* that is events: objects or mappings with ``data``, and ``event`` and
            ``id`` if they have them; tuples in the order event, data, id; or the texts of
            their data alone. With one it is whatever `cassette_stream.chaos.answer_of` reads:
            events as dicts, objects of an SDK, our chunks, a whole answer; or pieces of text.
            What is not told is not compared.
        dialect: None for server-sent events as such; else "openai_chat", "openai_responses",
            "anthropic", "gemini", "cohere", "ollama", "bedrock_converse" or "bedrock_invoke":
            the streams of that provider, be they server-sent events, lines or AWS frames.
        exclude: Rules that streams shall not need, of `SSE_RULES`, or with a *dialect* of
            `FRAMING_RULES`, where those of another kind of stream mean nothing.
        settings: How many examples, and what else Hypothesis can be told; by default those
            of the current profile, for each law.
        seed: Draw the same examples each time.

    Raises:
        LawError: A law is broken.
        TypeError: An argument is of another type; or *decode* gives what is no event.
        ValueError: There is no such dialect or rule.
    """
    __tracebackhide__ = True
    checked(settings, seed, decode=decode)
    known = RULES if dialect is None else FRAMING
    gone = chosen("exclude", exclude, known) if exclude else ()
    rules = [name for name in known if name not in gone]
    drawn: st.SearchStrategy[Any] = (
        streams(rules=rules)
        if dialect is None
        else framed(one_of("dialect", dialect, CARRIED), rules)
    )
    laws = DecoderLaws(decode)
    run = partial(hold, settings=settings, seed=seed)
    run(laws.says_what_the_stream_says, drawn)
    if dialect is None and not gone:
        run(laws.says_what_the_stream_says, spelt())
    run(laws.is_the_same_for_simple_cuts, drawn)
    run(laws.is_the_same, drawn.flatmap(cut))


def check_accumulator(
    accumulate: Callable[[Any], Any],
    *,
    dialect: str = "openai_chat",
    as_: As = "dicts",
    exclude: str | Collection[str] = (),
    cost: bool = True,
    settings: hypothesis.settings | None = None,
    seed: int | None = None,
) -> None:
    """Three laws: the answer says what the stream says, beginnings hold, and cost is linear.

    1. The answer has the text of the stream and its tool calls: ids, names, arguments, and
       as many. Also with each quirk that providers of the dialect have.
    2. Every beginning of a stream is taken, text only grows, and a call stays, with its id.
    3. Eight times the chunks cost about eight times the time.

    Args:
        accumulate: Takes an iterable of chunks and gives the answer so far: ours, an SDK's,
            its JSON, a message with ``content`` and ``tool_calls``, the text alone, or the
            calls alone, as mappings or as tuples of id, name, arguments. None says nothing.
            What is not told is not compared.
        dialect: Whose stream: "openai_chat", "openai_responses", "anthropic", "gemini",
            "cohere", "ollama", "bedrock_converse" or "bedrock_invoke".
        as_: What chunks are: "dicts" (the JSON of the events), "chunks" (ours, as
            `cassette_stream.completion` streams them, which have no quirks) or "sdk" (the
            objects of the provider's SDK).
        exclude: Quirks that are not tried, of `QUIRKS`.
        cost: Whether the third law is tried.
        settings: How many examples, and what else Hypothesis can be told; by default those
            of the current profile. For each quirk a tenth of that.
        seed: Draw the same examples each time.

    Raises:
        LawError: A law is broken.
        TypeError: An argument is of another type; or *accumulate* gives what is no answer.
        ValueError: There is no such dialect, form or quirk.
        ModuleNotFoundError: The SDK that was asked for is not installed.
    """
    __tracebackhide__ = True
    checked(settings, seed, accumulate=accumulate)
    one_of("dialect", dialect, CARRIED)
    one_of("as_", as_, get_args(As))
    flag("cost", cost)
    gone = chosen("exclude", exclude, QUIRKS) if exclude else ()
    # Ours are in normal form, which has no quirks.
    left = [it for it in quirks_of(dialect) if as_ != "chunks" and it not in gone]
    told = settings or hypothesis.settings()
    few = hypothesis.settings(told, max_examples=-(-told.max_examples // 10))
    laws = AccumulatorLaws(accumulate)
    hold(laws.says_what_the_stream_says, plain(dialect, as_), settings=told, seed=seed)
    for name in left:
        quirk = quirky(name, as_, dialect)
        hold(laws.says_what_the_stream_says, quirk, settings=few, seed=seed)
    every = st.one_of([plain(dialect, as_), *(quirky(name, as_, dialect) for name in left)])
    hold(laws.keeps_what_it_told, every, settings=told, seed=seed)
    if cost:
        for stream in long_streams(dialect, as_):
            costs_are_linear(accumulate, stream)
