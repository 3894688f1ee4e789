"""Anthropic's models by InvokeModel: what is asked, and how.

The model stands in the path, and whether to stream too; the version stands in the body.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from cassette_stream.dialects.anthropic.requests import body_of
from cassette_stream.dialects.call import Call, HttpRequest, post

__all__ = ("request",)

_VERSION: Final = "bedrock-2023-05-31"
_IN_THE_PATH: Final = frozenset({"model", "stream"})


def request(call: Call) -> HttpRequest:
    """The request that asks Bedrock for *call*.

    Raises:
        UnsupportedParamsError: There is no such parameter, or not with that value.
        ValueError: As Anthropic's `request`.
        TypeError: As Anthropic's `request`.
    """
    asked = {name: it for name, it in body_of(call).items() if name not in _IN_THE_PATH}
    method = "invoke-with-response-stream" if call.stream else "invoke"
    path = f"/model/{quote(call.model, safe='')}/{method}"
    body = {"anthropic_version": _VERSION, **asked}
    return post(path, body, call, stream="application/vnd.amazon.eventstream")
