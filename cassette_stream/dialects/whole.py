"""The body of a response that is no stream, as the text that it is."""

from __future__ import annotations

from cassette_stream.exceptions import EmptyStreamError, MalformedStreamError

__all__ = ("whole_text",)


def whole_text(body: bytes) -> str:
    """The text of a *body* that is no stream, without a mark of its byte order.

    Raises:
        EmptyStreamError: There is none.
        MalformedStreamError: It is no UTF-8.
    """
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise MalformedStreamError(f"the body is no UTF-8: {error}", body=body) from error
    if not text:
        raise EmptyStreamError("the body is empty")
    return text
