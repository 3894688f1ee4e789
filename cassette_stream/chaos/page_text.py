"""Text in a page: whatever it holds, it is shown and never markup."""

from __future__ import annotations

import html
import re

__all__ = ("counted", "lasting", "shown")

# What no page may hold, and what turns the direction of the text around it.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def shown(text: str) -> str:
    """*text* as markup that shows it, within an element or an attribute in double quotes."""
    return html.escape(_UNSEEN.sub(_spelled, text), quote=False).replace('"', "&quot;")


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def counted(number: int, noun: str) -> str:
    """*number* and *noun*, which takes an s unless it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def lasting(milliseconds: float) -> str:
    """A time in three digits."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"
