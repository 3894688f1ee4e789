"""Every real sleep is counted; to be imported before anybody takes `time.sleep` by name."""

from __future__ import annotations

import time

slept: list[float] = []
"""The seconds of each."""

_sleep = time.sleep


def _counted(seconds: float, /) -> None:
    slept.append(seconds)
    _sleep(seconds)


time.sleep = _counted
