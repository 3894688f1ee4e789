"""Cassettes as a recorder writes them: calls of models and of other servers, with every ending.

What is drawn is what `cassette_stream.read_cassette` gives for the file that
`cassette_stream.write_cassette` made of it: times in whole microseconds, nothing that looks
like a secret.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, cycle, islice, pairwise
from typing import Any

from hypothesis import strategies as st

from cassette_stream import (
    Cassette,
    Ending,
    FailureKind,
    How,
    Interaction,
    Response,
    __version__,
)
from pytest_cassette_stream.strategies.exchanges import (
    BASES,
    Exchange,
    model_exchanges,
    other_exchanges,
)
from pytest_cassette_stream.strategies.made import made
from pytest_cassette_stream.strategies.options import chosen, whole_number
from pytest_cassette_stream.strategies.scripts import ANYWHERE, BEFORE, BEHIND

__all__ = ("cassettes",)

_ENDINGS = ("complete", "failure", "closed_by_caller", "cancelled", "no_response")
_BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
_TIMES = st.integers(0, 300_000_000)
_GAPS = st.lists(st.integers(0, 2_000_000), min_size=1, max_size=3)


def cassettes(
    *,
    dialect: str | Collection[str] | None = None,
    endings: str | Collection[str] | None = None,
    min_size: int = 1,
    max_size: int = 3,
) -> st.SearchStrategy[Cassette]:
    """Cassettes of plausible requests and what came of them.

    Streams, whole answers and errors of models; pages, files and empty bodies of others;
    whole and broken, in any frames, at any pace. Examples shrink to one interaction with
    an empty body, in one frame or none, at no time.

    Args:
        dialect: The dialects that are spoken, one or several of ``openai_chat``,
            ``openai_responses``, ``anthropic``, ``gemini``, ``cohere``, ``ollama``,
            ``bedrock_converse`` and ``bedrock_invoke``, and nothing else; None for all, and
            for what is no model's.
        endings: How bodies end, one or several of ``complete``, ``failure``,
            ``closed_by_caller``, ``cancelled`` and ``no_response`` (a failure before there is
            one); any if None.
        min_size: How many interactions there are at least.
        max_size: And at most.

    Raises:
        ValueError: There is no such dialect or ending, or the sizes are none.
        TypeError: A size is no whole number.
    """
    spoken = [model_exchanges(name) for name in chosen("dialect", dialect, BASES)]
    exchanges = st.one_of(*([other_exchanges()] if dialect is None else []), *spoken)
    least = whole_number("min_size", min_size, low=0)
    most = whole_number("max_size", max_size, low=least)
    one = _interactions(exchanges, chosen("endings", endings, _ENDINGS))
    return made(_cassette, st.lists(one, min_size=least, max_size=most))


def _cassette(interactions: Sequence[Interaction]) -> Cassette:
    return Cassette(
        interactions=tuple(interactions), recorded_with=f"cassette-stream {__version__}"
    )


@st.composite
def _interactions(
    draw: st.DrawFn, exchanges: st.SearchStrategy[Exchange], endings: Sequence[str]
) -> Interaction:
    ending = draw(st.sampled_from(endings))
    exchange = draw(exchanges)
    date = _BEGUN + timedelta(milliseconds=draw(st.integers(0, 10**9)))
    if ending == "no_response":
        failure = draw(_failures(BEFORE + ANYWHERE))
        return Interaction(recorded_at=date, request=exchange.request, failure=failure)
    response = draw(_responses(exchange, ending))
    return Interaction(recorded_at=date, request=exchange.request, response=response)


@st.composite
def _responses(draw: st.DrawFn, exchange: Exchange, ending: str) -> Response:
    sizes = draw(_frames(exchange.pieces))
    if ending != "complete":
        sizes = sizes[: draw(st.integers(0, len(sizes)))]
    body = b"".join(exchange.pieces)[: sum(sizes)]
    gaps = islice(cycle(draw(_GAPS)), len(sizes)) if sizes else ()
    return Response(
        status=exchange.status,
        http_version=draw(st.sampled_from(["HTTP/1.1", "HTTP/2"])),
        headers=exchange.headers,
        head_after_us=draw(_TIMES),
        body=body,
        sizes=array("q", sizes),
        gaps_us=array("q", gaps),
        ending=draw(_ends(ending)),
        removed_coding=draw(st.sampled_from([None, "gzip"])) if body else None,
    )


def _frames(pieces: Sequence[bytes]) -> st.SearchStrategy[list[int]]:
    """The sizes of the frames: one for each piece, one for all, or cut anywhere."""
    length = sum(map(len, pieces))
    if not length:
        return st.just([])
    written = [0, *accumulate(map(len, pieces))]
    anywhere = st.lists(st.integers(0, length), max_size=6).map(lambda it: [0, *sorted(it), length])
    return (st.sampled_from([[0, length], written]) | anywhere).map(
        lambda places: [end - start for start, end in pairwise(places)]
    )


def _ends(ending: str) -> st.SearchStrategy[Ending]:
    if ending == "complete":
        return st.just(Ending(how=How.COMPLETE))
    if ending == "failure":
        return _failures(BEHIND + ANYWHERE)
    return st.builds(Ending, how=st.just(How(ending)), after_us=_TIMES)


def _failures(kinds: Sequence[FailureKind]) -> st.SearchStrategy[Ending]:
    # What nobody was there to hear was not recorded.
    heard = [kind for kind in kinds if kind is not FailureKind.RECORDING_ENDED]
    return made(_failed, st.sampled_from(heard), _TIMES, st.sampled_from(["", "it broke"]))


def _failed(kind: FailureKind, after_us: int, message: str) -> Ending:
    told: dict[str, Any] = {"how": How.FAILURE, "after_us": after_us, "failure": kind}
    return Ending(**told, message="OwnError: it broke" if kind is FailureKind.OTHER else message)
