"""The way to the head of a response: what is sent, whether it is sent again, and when.

Nothing is tried again once the first byte of an answer may have reached the caller. As in
`reading`, two shells do the sending and the waiting.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from os import urandom
from typing import Any

from cassette_stream.chunks import ModelResponseStream
from cassette_stream.client.access import Access
from cassette_stream.client.asked import Asked
from cassette_stream.client.failures import connection_error, inform, worth_again
from cassette_stream.client.reading import Reading
from cassette_stream.clock import Clock, RealClock
from cassette_stream.dialects.errors import status_error
from cassette_stream.exceptions import APIConnectionError, APIError, Timeout

__all__ = ("Exchange", "Opened")

_AGAIN = frozenset({408, 409, 429})
_LONGEST_WAIT = 120.0
_JSON = "application/json"
_NO_STREAMS = ("application/problem+json", "text/html")


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer that has begun. *chunks* are all there are where it came whole."""

    reading: Reading
    chunks: list[ModelResponseStream] | None


class Exchange:
    """What is left to do until there is an answer."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._retries = 0
        self._real = RealClock()
        self._deadline = self._real.now() + asked.limits.total
        self._request: Any = None

    @property
    def clock(self) -> Clock:
        """The clock on which the request was answered: a replay has one of its own."""
        clock: Clock = self._request.extensions.get("cassette_stream_clock", self._real)
        return clock

    def request(self, client: Any) -> Any:
        """The next request to send, as one of *client*'s library.

        Raises:
            ValueError: It would go to what is no address.
        """
        asked = self._asked
        try:
            self._request = client.build_request(
                "POST",
                asked.url,
                headers=asked.headers,
                content=asked.body,
                timeout=_timer(self.patience),
            )
        except Exception as error:
            # Names that idna cannot read come as they are.
            if type(error).__name__ != "InvalidURL" and not isinstance(error, UnicodeError):
                raise
            raise ValueError(f"{asked.address!r} is no address: {error}") from error
        return self._request

    @property
    def stale(self) -> Access | None:
        """What has to be asked again before the request is sent; None where nothing has."""
        access = self._asked.access
        return None if access is None or access.is_fresh() else access

    @property
    def patience(self) -> float:
        """Seconds that the caller waits for the head of a response, and for what goes before."""
        return min(self._asked.limits.first, self._left())

    @contextmanager
    def asking(self) -> Iterator[None]:
        """In here it is asked what lets the request in; a `TimeoutError` says that it took long.

        Raises:
            APIError: It cannot be told.
        """
        limits = self._asked.limits
        try:
            yield
        except TimeoutError as error:
            phase = "total" if self._real.now() >= self._deadline else "headers"
            limit = limits.total if phase == "total" else limits.first
            text = f"there were no credentials for {self._asked.address} after {limit:g} s"
            raise self._informed(Timeout(text, phase=phase)) from error
        except APIError as error:
            self._informed(error)
            raise

    def let_in(self) -> None:
        """Add to the request what lets it in.

        Raises:
            APIError: It cannot be told.
        """
        if (access := self._asked.access) is None:
            return
        request = self._request
        with self.asking():
            found = access.headers(str(request.url), dict(request.headers), request.content)
        request.headers.update(found)
        # The time that it took to ask is gone.
        request.extensions["timeout"] = dict.fromkeys(
            request.extensions["timeout"], _timer(self.patience)
        )

    def streams(self, response: Any) -> bool:
        """Whether *response* is to be read piece by piece; whatever else it is comes whole."""
        if not (self._asked.stream and response.is_success):
            return False
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == _JSON:  # is what lines of JSON are called, too
            return bool(self._asked.endpoint.dialect.Decoder().is_stream(b"{"))
        return kind not in _NO_STREAMS

    def settle(self, response: Any, body: bytes | None) -> Opened | float:
        """The answer that *response* begins, or the seconds after which to ask again.

        Args:
            response: The response.
            body: All of its body, None where it is still to come.

        Raises:
            APIError: It is an error, and that is that.
        """
        headers = dict(response.headers.items())
        if not response.is_success:
            error = status_error(
                response.status_code, body=body, headers=headers, now=self._real.date()
            )
            return self._again_after(error, _worth(response.status_code, headers), headers)
        limits, now = self._asked.limits, self.clock.now
        # The silence before a head and that between two chunks have limits of their own.
        self._request.extensions["timeout"]["read"] = _timer(min(limits.idle, self._left()))
        reading = Reading(
            self._asked,
            status=response.status_code,
            headers=headers,
            id=self._id(headers),
            created=self._created(headers),
            retries=self._retries,
            now=now,
            deadline=now() + self._left(),
        )
        return Opened(reading, None if body is None else list(reading.take_whole(body)))

    def failed(self, cause: Exception) -> float:
        """The seconds after which to ask again, after *cause* came instead of a response.

        Raises:
            APIError: From *cause*: there were enough attempts.
            Exception: *cause* itself, if it is no HTTP library's.
        """
        phase = "total" if self._real.now() >= self._deadline else "headers"
        error = connection_error(cause, phase=phase, url=self._asked.address)
        if error is None:
            raise cause
        error.__cause__ = cause
        worth = isinstance(error, APIConnectionError) and worth_again(cause)
        return self._again_after(error, worth, {})

    def _again_after(self, error: APIError, worth: bool, headers: Mapping[str, str]) -> float:
        wait = error.retry_after
        if wait is None:
            most = min(8.0, 0.5 * 2**self._retries)
            wait = most * (1 - random.random() / 4)  # noqa: S311 - so that clients do not march in step
        enough = self._retries >= self._asked.max_retries or wait > min(_LONGEST_WAIT, self._left())
        if enough or not worth:
            raise self._informed(error, headers)
        self._retries += 1
        return wait

    def _informed(self, error: APIError, headers: Mapping[str, str] | None = None) -> APIError:
        inform(error, self._asked, headers=headers or {}, retries=self._retries)
        return error

    def _left(self) -> float:
        """Seconds until there must be an end; a little even when there are none."""
        return max(self._deadline - self._real.now(), 0.001)

    def _id(self, headers: Mapping[str, str]) -> str:
        """A name for a stream that has none of its own, the same in every replay."""
        if self.clock is self._real:
            return f"chatcmpl-{urandom(12).hex()}"
        seed = repr((self._asked.body, sorted(headers.items())))
        return f"chatcmpl-{blake2b(seed.encode(), digest_size=12).hexdigest()}"

    def _created(self, headers: Mapping[str, str]) -> int:
        """The date of the response. A replay of one without a date has none: it must not differ."""
        try:
            return int(parsedate_to_datetime(headers.get("date", "")).timestamp())
        except ValueError:
            return int(self._real.date().timestamp()) if self.clock is self._real else 0


def _worth(status: int, headers: Mapping[str, str]) -> bool:
    """Whether it is worth asking again, by the provider's own word if it says one."""
    said = headers.get("x-should-retry")
    if said in {"true", "false"}:
        return said == "true"
    return status in _AGAIN or status >= 500


def _timer(seconds: float) -> float | None:
    return None if math.isinf(seconds) else seconds
