"""What a caller asks of a model, and the HTTP request that asks it.

A dialect turns a `Call` into an `HttpRequest`. Neither holds a credential or a host:
those belong to whoever sends it, so both may be printed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cassette_stream.dialects.encoding import compact
from cassette_stream.exceptions import UnsupportedParamsError

__all__ = ("Call", "HttpRequest", "accepted_params", "post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked, in the words of the chat completions API.

    *params* holds the parameters that were given, and no others: a None in it is sent as
    ``null``. *extra_body* goes into the body as it is, over anything of the same name.
    With *drop_params* a parameter that the provider does not have is left out.
    """

    model: str
    messages: Sequence[Mapping[str, object]]
    stream: bool = False
    params: Mapping[str, object] = field(default_factory=dict)
    extra_body: Mapping[str, object] = field(default_factory=dict)
    drop_params: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A POST: *path* is appended to the provider's base, *body* is JSON."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def accepted_params(call: Call, accepted: Collection[str], *, dialect: str) -> dict[str, object]:
    """The parameters of *call* that a *dialect* (its name, for the error) has.

    Raises:
        UnsupportedParamsError: Some are not *accepted*, and the call does not drop them.
    """
    unknown = sorted(set(call.params).difference(accepted))
    if unknown and not call.drop_params:
        raise UnsupportedParamsError(
            f"{dialect} has no {', '.join(unknown)}; it takes {', '.join(sorted(accepted))}; "
            "leave it out, set drop_params=True, or send it as it is in extra_body",
            status_code=400,
            param=unknown[0],
        )
    return {name: value for name, value in call.params.items() if name in accepted}


def post(
    path: str, body: Mapping[str, object], call: Call, *, stream: str = "text/event-stream"
) -> HttpRequest:
    """The request that sends *body*, and the call's *extra_body* over it, to *path*.

    *stream* is the content type of a streamed answer.

    Raises:
        TypeError: A value in it is nothing that JSON has.
        ValueError: A number is not finite, or a text holds half a surrogate pair.
    """
    whole = {**body, **call.extra_body}
    try:
        text = compact(whole)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{_unwritable(whole)} cannot be sent as JSON: {error}") from None
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 20) : error.end]
        raise ValueError(f"the request holds half a surrogate pair: {around!r}") from None
    accept = stream if call.stream else "application/json"
    headers = {"accept": accept, "content-type": "application/json"}
    return HttpRequest(path=path, headers=headers, body=data)


def _unwritable(body: Mapping[Any, object]) -> str:
    """The first name in *body* that is no text, or whose value is no JSON."""
    for name, value in body.items():
        try:
            compact({name: value})
        except (TypeError, ValueError):
            return repr(name)
    raise AssertionError("each of them is JSON, and all of them are not")
