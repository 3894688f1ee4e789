"""Faults that send the client elsewhere: round in a circle, or to a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cassette_stream.faults.head.found import HTML, answer, before_head
from cassette_stream.faults.head.pages import LOGIN
from cassette_stream.faults.info import FaultInfo
from cassette_stream.script import Head, Script, Step

__all__ = ("REDIRECTS", "RedirectLogin", "RedirectLoop")

_LOGIN = "/login"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectLoop:
    """The client is sent to where it is.

    Each hop is another attempt at the request.
    """

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            # Relative to the URL that was asked for, nothing is that URL.
            yield from answer(head, 307, b"", content_type=None, fields=(("location", ""),))


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectLogin:
    """The client is sent to ``/login``, where there is a page for people, with the status 200."""

    def __call__(self, script: Script) -> Script:
        head = yield from before_head(script)
        if head is not None:
            yield from answer(head, 302, b"", content_type=None, fields=(("location", _LOGIN),))

    @property
    def follow_ups(self) -> Mapping[str, tuple[Step, ...]]:
        """What is answered at the paths that no recording knows, once the fault struck."""
        return {_LOGIN: tuple(answer(Head(200), 200, LOGIN, content_type=HTML))}


REDIRECTS = (
    FaultInfo(
        id="head.redirect_loop",
        name="redirect loop",
        expect="raises",
        transport="TooManyRedirects: Exceeded maximum allowed redirects., where redirects "
        "are followed",
        description="The client is sent to where it is, for ever.",
        reference="measured",
        make=RedirectLoop,
        kind="exchange",
    ),
    FaultInfo(
        id="head.redirect_login",
        name="redirect to a login page",
        expect="raises",
        transport="nothing: the status is 302, and 200 where redirects are followed",
        description="The client is sent to a login page, which answers 200 and HTML.",
        reference="measured",
        make=RedirectLogin,
        kind="exchange",
    ),
)
