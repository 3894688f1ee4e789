"""How a string stands in a cassette: plain, as a literal block, or in double quotes.

Whatever the style, every YAML reader gets the same string back: what a YAML 1.1 reader
would take for something else (``NO``, ``12:30:45``, ``1e3``) is quoted, and characters
that are no text, or that some readers take for line ends, are escaped.
"""

from __future__ import annotations

import re

from cassette_stream.cassette.characters import forbidden

__all__ = ("MAX_KEY", "block", "comment", "flow", "inline", "quoted", "string")

MAX_KEY = 1000
"""Characters; YAML gives up on a key of 1,024."""

# Words that some reader resolves; what begins with a digit, a sign or a dot is never
# plain, so numbers and dates need no place here.
_RESERVED = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))
_FLOW = frozenset(",[]{}?:")

# What YAML calls printable, less CR and the line ends of YAML 1.1 (NEL, LS, PS) and the
# byte order mark. Surrogates are left alone: they have no escape either, and encoding
# the document refuses them.
_UNSAFE = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff"
_PLAIN = re.compile(rf"(?![{_UNSAFE}])[A-Za-z_/(\xa1-\U0010ffff][^\t\n{_UNSAFE}]*")
_ESCAPED = re.compile(rf'[\t\n"\\{_UNSAFE}]')
_CONTROLS = re.compile(rf"[\t\n{_UNSAFE}]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_TRAILING_BLANK = re.compile(r"[ \t](?:\n|\Z)")
_LINE_WITH_TEXT = re.compile(rb"\n(?=[^\n])")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def _is_plain(text: str) -> bool:
    return (
        _PLAIN.fullmatch(text) is not None
        and text.lower() not in _RESERVED
        and ": " not in text
        and " #" not in text
        and text[-1] != ":"
        and text == text.strip()
    )


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if char in _SHORT:
        return _SHORT[char]
    return f"\\x{ord(char):02X}" if ord(char) < 0x100 else f"\\u{ord(char):04X}"


def comment(text: str) -> str:
    """*text* as a comment on one line."""
    return f"# {_CONTROLS.sub(_escape, text)}"


def quoted(text: str, indent: int | None = None) -> str:
    """*text* in double quotes; with an *indent*, on one line of the file per line of *text*."""
    if indent is None:
        return f'"{_ESCAPED.sub(_escape, text)}"'
    # A backslash at the end of a line joins it to the next, whose leading blanks go: a
    # blank that is ours needs an escape.
    lines = [_ESCAPED.sub(_escape, line) for line in _LINES.findall(text)]
    rest = [f"\\{line}" if line.startswith(" ") else line for line in lines[1:]]
    return '"' + f"\\\n{' ' * indent}".join([*lines[:1], *rest]) + '"'


def block(data: bytes, indent: int) -> tuple[bytes, bytes, bytes]:
    """*data* as a literal block with its content at column *indent*, in parts to be joined.

    The caller knows that *data* is UTF-8, not empty, and holds nothing forbidden.
    """
    pad = b" " * indent
    first = b"" if data.startswith(b"\n") else pad
    lines = _LINE_WITH_TEXT.sub(b"\n" + pad, data)
    return (
        (b"|2+\n" + first, lines, b"") if data.endswith(b"\n") else (b"|2-\n" + first, lines, b"\n")
    )


def string(text: str, indent: int) -> str:
    """*text* as the value of a key or item at column *indent* - 2, last line end included."""
    if _is_plain(text):
        return f"{text}\n"
    # Blanks at the end of a line do not survive the habits of editors, so they are quoted.
    if "\n" in text.strip("\n") and not _TRAILING_BLANK.search(text):
        data = text.encode("utf-8", "surrogatepass")
        if forbidden(data) is None:
            return b"".join(block(data, indent)).decode()
    return f"{quoted(text, indent)}\n"


def flow(text: str) -> str:
    """*text* as an item of a list in brackets."""
    return text if _is_plain(text) and _FLOW.isdisjoint(text) else quoted(text)


def inline(text: str) -> str:
    """*text* on one line, as a key or as the value of one."""
    return text if _is_plain(text) else quoted(text)
