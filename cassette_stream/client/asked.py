"""What a call comes to before anything is sent: checked, routed, and spelled as a request.

Every mistake of the caller is an error here, and so at the call.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cassette_stream._version import __version__
from cassette_stream.client.access import Access
from cassette_stream.client.provider_table import ARGUMENTS
from cassette_stream.client.providers import Endpoint, resolve
from cassette_stream.dialects.call import Call
from cassette_stream.exceptions import APIError, UnsupportedParamsError

__all__ = ("Asked", "Limits", "ask", "limits_of", "retries_of")

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NOT_IN_A_HEADER = re.compile(r"[^\t\x20-\x7e]")

_SENDER = {"user-agent": f"cassette-stream/{__version__}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long the caller waits, in seconds; `math.inf` where there is no limit.

    Attributes:
        idle: Without a chunk that says something; comments and pings are none.
        first: For the head of the response, and then for the first chunk.
        total: From the call to the end of the stream.
    """

    idle: float
    first: float
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call; its *headers* and the query of its *url* may hold keys, and are not shown."""

    endpoint: Endpoint
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    stream: bool
    include_usage: bool
    strict: bool
    limits: Limits
    max_retries: int

    @property
    def address(self) -> str:
        """Where the request goes, as errors may tell it."""
        return self.url.partition("?")[0]

    @property
    def access(self) -> Access | None:
        """What has to let the request in; a caller who brings his own ``authorization`` is in."""
        return None if "authorization" in self.headers else self.endpoint.access


def ask(
    model: str,
    messages: Sequence[Mapping[str, object]],
    *,
    stream: bool | None,
    limits: Limits,
    max_retries: int,
    strict: bool,
    api_key: str | None,
    api_base: str | None,
    custom_llm_provider: str | None,
    extra_headers: Mapping[str, str] | None,
    extra_body: Mapping[str, object] | None,
    drop_params: bool,
    params: Mapping[str, object],
) -> Asked:
    """The call that these arguments of `completion` make.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: A value is none that a request can hold.
        APIError: There is no such provider, no key, or the provider takes no such argument.
    """
    _check_types(model, messages)
    _check_flags(stream=stream, strict=strict, drop_params=drop_params)
    headers = _checked(extra_headers)
    given = {name: value for name, value in params.items() if value is not None}
    endpoint = resolve(
        model,
        custom_llm_provider=custom_llm_provider,
        api_base=api_base,
        api_key=api_key,
        params=given,
    )
    elsewhere = sorted(ARGUMENTS.intersection(given).difference(endpoint.arguments))
    if elsewhere and not drop_params:
        # It may be a secret of another provider's, so it is not sent as a parameter either.
        raise UnsupportedParamsError(
            f"{endpoint.provider} takes no {', '.join(elsewhere)}; leave it out, or set "
            "drop_params=True",
            status_code=400,
            param=elsewhere[0],
            llm_provider=endpoint.provider,
            model=endpoint.model,
        )
    given = {name: value for name, value in given.items() if name not in ARGUMENTS}
    include_usage = _include_usage(given.get("stream_options"))
    call = Call(
        model=endpoint.model,
        messages=messages,
        stream=bool(stream),
        params=given,
        extra_body=dict(_mapping("extra_body", extra_body)),
        drop_params=drop_params,
    )
    try:
        request = endpoint.dialect.request(endpoint.adapt(call))
    except APIError as error:
        error.llm_provider, error.model = endpoint.provider, endpoint.model
        raise
    return Asked(
        endpoint=endpoint,
        url=endpoint.url(request.path),
        headers={**_SENDER, **request.headers, **endpoint.headers, **headers},
        body=request.body,
        stream=bool(stream),
        # An answer that is given whole has its usage in it, asked for or not.
        include_usage=include_usage or not stream,
        strict=strict,
        limits=limits,
        max_retries=max_retries,
    )


def limits_of(
    timeout: float | None,
    first: float | None,
    total: float | None,
    *,
    streamed: float | None,
    stream: bool | None,
) -> Limits:
    """The limits that the arguments of `completion` set.

    Raises:
        TypeError: One is no number.
        ValueError: One is not above 0.
    """
    idle = _seconds("timeout", timeout)
    if streamed is not None:
        while_streaming = _seconds("stream_timeout", streamed)
        idle = while_streaming if stream else idle
    return Limits(
        idle=idle,
        first=idle if first is None else _seconds("first_chunk_timeout", first),
        total=_seconds("total_timeout", total),
    )


def retries_of(num_retries: int | None, max_retries: int | None) -> int:
    """How often a request is tried again: two names for one number, 2 if neither is given.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is negative, or the two differ.
    """
    if None not in (num_retries, max_retries) and num_retries != max_retries:
        raise ValueError(
            f"num_retries={num_retries!r} and max_retries={max_retries!r} are two names for "
            "the same: give one of them"
        )
    count: Any = max_retries if num_retries is None else num_retries
    count = 2 if count is None else count
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"num_retries must be a whole number, not {count!r}")
    if count < 0:
        raise ValueError(f"num_retries must be 0 or more, not {count}")
    return int(count)


def _seconds(name: str, value: Any) -> float:
    if value is None:
        return math.inf
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds or None, not {value!r}")
    if not value > 0:
        raise ValueError(f"{name} must be above 0 seconds, not {value!r}; None means no limit")
    return float(value)


def _check_types(model: Any, messages: Any) -> None:
    if not isinstance(model, str):
        raise TypeError(f"model must be a text such as 'gpt-4o', not {model!r}")
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        raise TypeError(
            "messages must be a list such as [{'role': 'user', 'content': 'Hello'}], "
            f"not {type(messages).__name__}"
        )
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise TypeError(f"messages[{number}] must be a mapping, not {message!r}")


def _check_flags(**flags: object) -> None:
    for name, value in flags.items():
        if not isinstance(value, bool | None):
            raise TypeError(f"{name} must be True or False, not {value!r}")


def _include_usage(options: object) -> bool:
    if not isinstance(options, Mapping | None):
        raise TypeError(
            "stream_options must be a mapping such as {'include_usage': True}, "
            f"not {type(options).__name__}"
        )
    return bool(options and options.get("include_usage"))


def _checked(headers: object) -> dict[str, str]:
    """The caller's own *headers*, lower-case, so that they win over those of the same name.

    They may hold keys, and the HTTP library's own errors would quote them.
    """
    checked = {}
    for name, value in _mapping("extra_headers", headers).items():
        if not isinstance(name, str):
            raise TypeError(f"the names of extra_headers must be texts, not {name!r}")
        if not isinstance(value, str):
            raise TypeError(f"extra_headers[{name!r}] must be a text, not {type(value).__name__}")
        if not _HEADER.fullmatch(name):
            raise ValueError(f"extra_headers holds {name!r}, and no header has such a name")
        if _NOT_IN_A_HEADER.search(text := value.strip(" \t")):
            raise ValueError(
                f"extra_headers[{name!r}] holds what no header can: a line break, or a letter "
                "beyond ASCII"
            )
        checked[name.lower()] = text
    return checked


def _mapping(name: str, value: object) -> Mapping[Any, Any]:
    """*value*, which may be None for an empty one."""
    if not isinstance(value, Mapping | None):
        raise TypeError(f"{name} must be a mapping, not {type(value).__name__}")
    return value or {}
