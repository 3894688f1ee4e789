"""Interactions for tests that only have to tell them apart."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta

from cassette_stream.cassette import Interaction, Request, Response

__all__ = ("recording",)

_EPOCH = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def recording(asked: str, answered: str = "", *, moment: int = 0) -> Interaction:
    """The stream that answered *asked*: the same at every *moment*, but for its times."""
    body = f'data: {{"answer": "{answered or asked}"}}\n\ndata: [DONE]\n\n'.encode()
    first = 6 + moment % 5
    return Interaction(
        recorded_at=_EPOCH + timedelta(milliseconds=moment),
        request=Request(
            method="POST",
            url="https://api.test/v1/chat",
            headers={"content-type": ("application/json",)},
            body=f'{{"ask":"{asked}","stream":true}}'.encode(),
        ),
        response=Response(
            status=200,
            headers={"content-type": ("text/event-stream",), "date": (f"moment {moment}",)},
            head_after_us=1000 + moment,
            body=body,
            sizes=array("q", [first, len(body) - first]),
            gaps_us=array("q", [moment, 2 * moment]),
        ),
    )
