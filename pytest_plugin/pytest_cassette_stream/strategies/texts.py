"""Text as models write it: every script, and what breaks those who read it in a stream.

No text has a lone surrogate: UTF-8 has no bytes for one.
"""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ("KINDS", "texts")

KINDS = {
    "latin": "Hello, wörld ß ½",
    "greek and cyrillic": "Ωμέγα привет",
    "right to left": "שלום مرحبا 12",
    "direction marks": "a\u202eb\u202c \u200f\u2067c\u2069",
    "indic": "नमस्ते क्षि",
    "thai": "สวัสดีครับ",
    "han and kana": "你好、世界。カタカナ",
    "hangul": "안녕 \u1112\u1161\u11ab",
    "combining": "e\u0301 a\u030a\u0323 Z\u0351\u0349\u0317",
    "emoji": "🌍 🚀 \u2764\ufe0f 1\ufe0f\u20e3",
    "joined emoji": "👩\u200d👩\u200d👧\u200d👦 👋🏽 🏳\ufe0f\u200d🌈",
    "flags": "🇫🇷🇯🇵",
    "beyond the first plane": "𝕏 𐍈 𠜎",
    "lines that are none in SSE": "\u2028a\u2029b\x85c\x0bd\x0ce\x1cf",
    "line ends": "a\r\nb\rc\n\nd",
    "byte order mark": "\ufeffbom",
    "controls": "nul\x00 esc\x1b del\x7f",
    "replacement and noncharacters": "\ufffd\uffff",
    "quotes and backslashes": "\\ \" ' \\n \\u00e9 </script>",
    "words of SSE": "data: [DONE]\n\nevent: x\nid: 1\n: c\n\n",
    "words of JSON": '{"a": [1, null]}, "b"',
    "bare blanks": "  \t\u00a0\u3000",
    "one long run": "x" * 30,
}
"""A sample of each kind of text."""


def texts() -> st.SearchStrategy[str]:
    """Text of any kind, alone and mixed."""
    sample = st.sampled_from([*KINDS.values()])
    return st.text(max_size=12) | sample | st.tuples(sample, sample).map("".join)
