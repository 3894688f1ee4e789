"""Why a model stopped, in five words for all providers; what is none of them stays itself.

Reasons that are errors of the provider (`FAILURES`) are for decoders to raise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ("FAILURES", "normal_finish_reason")


def _words(meaning: str, words: str) -> Iterable[tuple[str, str]]:
    return ((word, meaning) for word in words.split())


_MEANINGS: Final = dict[str, str](
    (
        *_words("stop", "stop end_turn stop_sequence eos eos_token COMPLETE STOP_SEQUENCE STOP"),
        *_words(
            "length",
            "length max_tokens MAX_TOKENS model_length max_output_tokens "
            "model_context_window_exceeded pause_turn compaction CONTINUATION",
        ),
        *_words("tool_calls", "tool_calls tool_use TOOL_CALL"),
        *_words("function_call", "function_call"),
        *_words(
            "content_filter",
            "content_filter content_filtered refusal guardrail_intervened sensitive SAFETY "
            "RECITATION LANGUAGE OTHER BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY "
            "IMAGE_PROHIBITED_CONTENT IMAGE_OTHER IMAGE_RECITATION NO_IMAGE ESCALATION "
            "ERROR_TOXIC MODEL_ARMOR",
        ),
    )
)

FAILURES: Final = frozenset(
    {"error", "ERROR", "TIMEOUT", "network_error", "insufficient_system_resource", "abort"}
)
"""Words that say that the provider failed: an exception, not an end."""


def normal_finish_reason(raw: str, *, called: bool = False) -> tuple[str, bool]:
    """What *raw* means, and whether it is abnormal: a word that has no equivalent.

    A plain stop after a tool was *called* is ``tool_calls``.
    """
    meaning = _MEANINGS.get(raw)
    if meaning is None:
        return raw, True
    return ("tool_calls" if called and meaning == "stop" else meaning), False
