"""A broken law, told so that it can be mended: what it says, the smallest stream, who sends it.

The stream is Python that can be pasted into a test.
"""

from __future__ import annotations

import pprint
from collections.abc import Mapping, Sequence

__all__ = ("LawError",)

_WIDTH = 88


class LawError(AssertionError):
    """The code under test breaks a law.

    Attributes:
        law: The law, as a sentence.
        stream: The smallest stream that shows it: chunks, as bytes or as they were fed.
        came: What the code made of it, or the exception that it raised.
        expected: What it should have made of it.
        seen: What is special about the stream, by name, with who sends such or the text that
            allows them; nothing where it is a plain one.
    """

    def __init__(
        self,
        law: str,
        *,
        stream: Sequence[object],
        came: object,
        expected: object,
        seen: Mapping[str, str] | None = None,
        code: Sequence[str] = (),
    ) -> None:
        super().__init__(law, stream, came, expected, seen, code)
        self.law = law
        self.stream = list(stream)
        self.came = came
        self.expected = expected
        self.seen = dict(seen or {})
        self._code = code or _code(stream)

    def __str__(self) -> str:
        lines = [
            f"this law is broken: {self.law}",
            "",
            *(f"    {line}" for line in self._code),
            "",
            f"  came:     {_shown(self.came, 12)}",
            f"  expected: {_shown(self.expected, 12)}",
        ]
        if self.seen:
            lines += [
                "",
                "what is special about it, and who sends that:",
                *(f"  {name}: {text}" for name, text in self.seen.items()),
            ]
        return "\n".join(lines)


def _shown(value: object, indent: int) -> str:
    if isinstance(value, BaseException):
        return f"raised {type(value).__name__}: {value}"
    text = pprint.pformat(value, width=_WIDTH - indent, sort_dicts=False)
    return text.replace("\n", "\n" + " " * indent)


def _code(stream: Sequence[object]) -> list[str]:
    """Python that makes the chunks; each has its line, so that they can be compared."""
    if len(stream) == 1:
        return [f"chunks = [{stream[0]!r}]"]
    return ["chunks = [", *(f"    {chunk!r}," for chunk in stream), "]"]
