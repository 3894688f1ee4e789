"""For how long a provider asks to be left alone.

The answer is a number of seconds that can be slept, whatever the header says, or None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ("LONGEST_RETRY_AFTER", "retry_after")

LONGEST_RETRY_AFTER = 86_400.0
"""Seconds, a day: servers do say ``inf``, and nobody sleeps for longer than this on purpose."""


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """For how many seconds the *headers* ask to be left alone, None where they do not.

    ``retry-after-ms`` goes before ``retry-after``, which is seconds or a date; a date counts
    from the response's own ``date``, else from *now*. From 0 to `LONGEST_RETRY_AFTER`.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    wait = _number(lower.get("retry-after-ms"))
    if wait is not None:
        wait /= 1000
    else:
        asked = lower.get("retry-after")
        wait = _number(asked)
        if wait is None and (until := _date(asked)):
            since = _date(lower.get("date")) or now
            wait = None if since is None else (until - since).total_seconds()
    return None if wait is None else min(max(wait, 0.0), LONGEST_RETRY_AFTER)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _date(text: str | None) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few errors carry a date

    try:
        date = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
