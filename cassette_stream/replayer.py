"""Which recorded interaction answers a request, and its script.

Each interaction plays once, identical requests in recorded order. Requests are read
from the cassette when they are first compared, bodies when they are played.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from cassette_stream.cassette.model import Ending, How, Interaction, Request, Response
from cassette_stream.script import Emit, Fail, FailureKind, Head, Script, Step, Wait

if TYPE_CHECKING:
    from cassette_stream.cassette.match import Matchers

__all__ = ("Faithful", "Recordings", "Replayer", "script_of")


class Recordings(Protocol):
    """A cassette as the replayer needs it: requests and interactions, by number from 0."""

    def __len__(self) -> int: ...

    def request(self, number: int, /) -> Request: ...

    def interaction(self, number: int, /) -> Interaction: ...


_PLAYED_LAST = 0.5
"""Between one that was never played, and one that was played once."""


class Replayer:
    """Picks the interaction that answers a request, and counts how often each was played.

    Args:
        recordings: What there is to play.
        matchers: What makes a recorded request and a live one the same.
        allow_repeats: After the last interaction that matches, start over at the first.
    """

    def __init__(
        self, recordings: Recordings, matchers: Matchers, *, allow_repeats: bool = False
    ) -> None:
        self._recordings = recordings
        self._matchers = matchers
        self._allow_repeats = allow_repeats
        self._played = [0] * len(recordings)
        self._given_back: dict[int, float] = {}

    @property
    def played(self) -> Sequence[int]:
        """How often each interaction was played."""
        return tuple(self._played)

    def rewind(self) -> None:
        """Start over: nothing counts as played."""
        self._played = [0] * len(self._played)
        self._given_back.clear()

    def find(self, live: Request) -> int | None:
        """The number of the interaction that answers *live*, which now counts as played."""
        agrees = self._matchers.against(live).agrees
        best, least = None, math.inf
        for number, played in enumerate(self._played):
            times = self._given_back.get(number, played)
            if times >= least or (times >= 1 and not self._allow_repeats):
                continue
            if agrees(self._recordings.request(number)):
                best, least = number, times
                if not times:
                    break
        if best is not None:
            self._played[best] += 1
            self._given_back.pop(best, None)
        return best

    def request(self, number: int) -> Request:
        """The recorded request of interaction *number*."""
        return self._recordings.request(number)

    def give_back(self, number: int, *, last: bool = False) -> None:
        """Let interaction *number* be played once more, before any other that is like it.

        *last* lets it be played only where nothing like it is left that was not played.
        """
        rank = _PLAYED_LAST if last else 0
        self._given_back[number] = min(rank, self._given_back.get(number, rank))

    def miss(self, live: Request) -> str:
        """Why nothing answers *live*: the nearest interaction, and in what it differs."""
        asked = f"{live.method} {live.url}"
        if not self._played:
            return f"nothing is recorded for {asked}: the cassette is empty"
        requests = [self._recordings.request(number) for number in range(len(self._played))]
        number, differences = self._matchers.against(live).nearest(requests)
        place = f"{number + 1} of {len(requests)}, {requests[number].method} {requests[number].url}"
        if not differences:
            return (
                f"everything recorded for {asked} was played (the last is interaction {place}): "
                "allow_repeats=True plays it again, session.rewind() starts over"
            )
        words = "\n".join(f"  {line}" for text in differences for line in text.splitlines())
        return f"nothing is recorded for {asked}; nearest: interaction {place}, where\n{words}"


def script_of(interaction: Interaction) -> Faithful:
    """The faithful script of *interaction*: the same chunks, gaps and ending.

    Raises:
        ValueError: It has neither a response nor a failure.
    """
    if interaction.response is None and interaction.failure is None:
        raise ValueError("an interaction has a response or a failure, this one has neither")
    return Faithful(interaction)


class Faithful:
    """A script that tells an interaction as it was; `script_of` makes one.

    A body whose frames nobody rewrites and nobody waits for need not be told step by
    step: `shortcut` has its chunks, for a fraction of the cost.
    """

    def __init__(self, interaction: Interaction) -> None:
        self._interaction = interaction
        self._steps = self._told()

    def __iter__(self) -> Faithful:
        return self

    def __next__(self) -> Step:
        return next(self._steps)

    def _told(self) -> Script:
        response = self._interaction.response
        if response is not None:
            if response.head_after_us:
                yield Wait(response.head_after_us / 1_000_000)
            yield Head(response.status, _headers(response), response.http_version, response.reason)
            for data, gap_us in zip(_chunks(response), response.gaps_us, strict=True):
                if gap_us:
                    yield Wait(gap_us / 1_000_000)
                yield Emit(data)
        yield from self.ending()

    def shortcut(self, read: float | None) -> tuple[Iterator[bytes], float] | None:
        """The chunks of the body, and the seconds that they take altogether.

        None where somebody with a read timeout of *read* seconds might not see them all.
        """
        response = self._interaction.response
        if response is None or not response.sizes or not min(response.sizes):
            return None
        if read is not None and max(response.gaps_us) > read * 1_000_000:
            return None
        return _chunks(response), sum(response.gaps_us) / 1_000_000

    def ending(self) -> Script:
        """What comes behind the last chunk."""
        return _ending(self._end)

    def fails_by(self, kind: FailureKind) -> bool:
        """Whether it ends by *kind*, and no message says what its client saw of that."""
        return self._end.failure is kind and not self._end.message

    @property
    def _end(self) -> Ending:
        told = self._interaction.response
        ending = told.ending if told is not None else self._interaction.failure
        assert ending is not None
        return ending


def _chunks(response: Response) -> Iterator[bytes]:
    body, start = response.body, 0
    for size in response.sizes:
        end = start + size
        yield body[start:end]
        start = end


def _headers(response: Response) -> tuple[tuple[str, str], ...]:
    # The recorder undid the coding, so what spoke of the coded body is no longer true.
    untrue = {"content-encoding", "content-length"} if response.removed_coding else ()
    # Nor is a length, where a placeholder or an editor changed the body. A response to HEAD
    # has a length and no body.
    is_whole = response.ending.how is How.COMPLETE and response.body
    true = {"content-length": str(len(response.body))} if is_whole else {}
    return tuple(
        (name, true.get(name, text))
        for name, texts in response.headers.items()
        if name not in untrue
        for text in texts
    )


def _ending(ending: Ending) -> Script:
    if ending.how is How.COMPLETE:
        return
    if ending.after_us:
        yield Wait(ending.after_us / 1_000_000)
    if ending.failure is not None:
        yield Fail(ending.failure, ending.message)
        return
    said = "closed the stream" if ending.how is How.CLOSED_BY_CALLER else "was cancelled"
    yield Fail(
        FailureKind.RECORDING_ENDED,
        f"the recorded caller {said} here, so nobody knows what came next: "
        "record the whole stream to read on",
    )
