"""What can be said about the use of a cassette, checked before anything happens."""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from cassette_stream.cassette.match import Matcher, Matchers, matchers
from cassette_stream.cassette.model import Request, Response

if TYPE_CHECKING:
    # Most sessions break nothing, and many that only play need no secret found.
    from cassette_stream.cassette.redact import Redactor
    from cassette_stream.faults import Faults, Plan

__all__ = (
    "Mode",
    "Options",
    "Pace",
    "default_mode",
    "host_patterns",
    "is_host_among",
    "redactor_of",
    "with_environment",
)


class Mode(StrEnum):
    """What a session does with a request."""

    NONE = "none"
    """Play; a miss is an error, the network is never touched."""
    ONCE = "once"
    """Record where there is no file yet, else as `NONE`."""
    NEW_EPISODES = "new_episodes"
    """Play what is there, record the rest and append it."""
    ALL = "all"
    """Record everything; it replaces what it matches, the rest of the file stays."""
    REWRITE = "rewrite"
    """Record everything; the file then holds this run only."""


Pace: TypeAlias = Literal["instant", "recorded"] | float


def default_mode() -> Mode:
    """`Mode.ONCE`, and `Mode.NONE` where the variable ``CI`` is set."""
    return Mode.NONE if os.environ.get("CI") else Mode.ONCE


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one session; `use_cassette` says what each means."""

    mode: Mode
    matchers: Matchers
    pace: Pace
    faults: Plan | None
    redact: Redactor | Literal["default"] | None
    allow_repeats: bool
    before_record_request: Callable[[Request], Request | None] | None
    before_record_response: Callable[[Response], Response | None] | None
    ignore_hosts: tuple[str, ...]
    ignore_localhost: bool
    guard: bool
    keep_incomplete: bool = False

    @classmethod
    def checked(
        cls,
        *,
        mode: str | None,
        match_on: Sequence[str | Matcher],
        ignore: Sequence[str],
        pace: Pace,
        faults: Faults,
        redact: Redactor | Literal["default"] | None,
        allow_repeats: bool,
        before_record_request: Callable[[Request], Request | None] | None,
        before_record_response: Callable[[Response], Response | None] | None,
        ignore_hosts: Sequence[str],
        ignore_localhost: bool,
        guard: bool,
        keep_incomplete: bool = False,
    ) -> Options:
        """The options, or a `ValueError` or `TypeError` that names the one that is wrong."""
        return cls(
            mode=default_mode() if mode is None else _mode(mode),
            matchers=matchers(_names("match_on", match_on), _names("ignore", ignore)),
            pace=_pace(pace),
            faults=_plan(faults),
            redact=_checked_redact(redact),
            allow_repeats=allow_repeats,
            before_record_request=before_record_request,
            before_record_response=before_record_response,
            ignore_hosts=host_patterns("ignore_hosts", ignore_hosts),
            ignore_localhost=ignore_localhost,
            guard=guard,
            keep_incomplete=keep_incomplete,
        )

    def ignores(self, host: str) -> bool:
        """Whether requests to *host* are none of the session's business."""
        if is_host_among(host, self.ignore_hosts):
            return True
        return self.ignore_localhost and _is_localhost(host.lower())


def _mode(mode: str) -> Mode:
    try:
        return Mode(mode)
    except ValueError:
        import difflib  # noqa: PLC0415 - costs 12 ms, and only this message needs it

        near = difflib.get_close_matches(str(mode), [known.value for known in Mode], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(Mode)
        raise ValueError(f"there is no mode {mode!r}{hint} (there are: {known})") from None


def _pace(pace: object) -> Pace:
    if pace == "instant" or pace == "recorded":  # noqa: PLR1714 - narrows the type
        return pace
    if isinstance(pace, int | float) and not isinstance(pace, bool) and 0 < pace < math.inf:
        return float(pace)
    raise ValueError(
        f"there is no pace {pace!r}: 'instant', 'recorded', or how many times as fast, as in 10.0"
    )


def _plan(faults: Faults) -> Plan | None:
    """The plan that *faults* are; None where nothing is to break."""
    if faults == ():
        return None
    from cassette_stream.faults import Injector, plan_of  # noqa: PLC0415 - see above

    plan = plan_of(faults)
    Injector(plan)  # refuses what no replay can do
    return plan


def _names(option: str, values: Sequence[object]) -> Sequence[str]:
    # A lone string is a sequence of letters, and hardly ever meant as one.
    if isinstance(values, str):
        raise TypeError(f"{option} takes several, in a tuple or list: ({values!r},)")
    return values  # type: ignore[return-value]  # each is checked by the one that it is for


def _checked_redact(redact: object) -> Redactor | Literal["default"] | None:
    if redact == "default":
        return "default"
    return redactor_of(redact)


@cache
def _default_redactor() -> Redactor:
    # A redactor compiles what it looks for, and keeps nothing of what it sees.
    from cassette_stream.cassette.redact import Redactor  # noqa: PLC0415 - see above

    return Redactor()


def with_environment(
    redactor: Redactor | None, environment: Mapping[str, str] = os.environ
) -> Redactor | None:
    """One that finds the secrets of the *environment*, too, as it is at this moment."""
    if redactor is None or not redactor.environment:
        return redactor
    from cassette_stream.cassette.known import secret_variables  # noqa: PLC0415 - see above

    return _knowing(redactor, tuple(secret_variables(environment).items()))


@lru_cache(maxsize=8)
def _knowing(redactor: Redactor, variables: tuple[tuple[str, str], ...]) -> Redactor:
    return redactor.knowing(dict(variables))


def redactor_of(redact: object) -> Redactor | None:
    """The redactor that *redact* stands for."""
    if redact == "default":
        return _default_redactor()
    if redact is None:
        return None
    from cassette_stream.cassette.redact import Redactor  # noqa: PLC0415 - see above

    if isinstance(redact, Redactor):
        return redact
    raise TypeError(f"redact takes a Redactor, or None to keep everything as it is: {redact!r}")


def host_patterns(option: str, hosts: Sequence[str]) -> tuple[str, ...]:
    """The *hosts* that *option* names, as `is_host_among` takes them.

    Raises:
        TypeError: They are a single text.
    """
    return tuple(host.lower() for host in _names(option, hosts))


def is_host_among(host: str, patterns: Sequence[str]) -> bool:
    """Whether one of *patterns*, in lower case, is *host*; ``*`` stands for anything."""
    name = host.lower()
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _is_localhost(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
