"""What providers do otherwise when they call tools, and what they mean by it.

Each quirk was reported in public; `QUIRKS` says by whom. All are in the shape of OpenAI's
chat chunks, as it is the one that so many speak in their own way.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hypothesis import strategies as st

from cassette_stream.wire import encode_event
from pytest_cassette_stream.strategies.fragments import Json
from pytest_cassette_stream.strategies.options import chosen
from pytest_cassette_stream.strategies.quirk_tellings import TELLINGS

__all__ = ("QUIRKS", "MeantCall", "Quirk", "quirks")

QUIRKS: Mapping[str, str] = MappingProxyType(
    {
        "missing_index": "Gemini's OpenAI endpoint, Ollama and mistral.rs leave out the index, "
        "or send null (openai/openai-python#2806, ollama/ollama#7881, "
        "EricLBuehler/mistral.rs#1507).",
        "same_index": "Ollama, Groq, vLLM and SGLang give parallel calls one index "
        "(BerriAI/litellm#33678, BerriAI/litellm#7621, sgl-project/sglang#6310).",
        "interleaved": "Fragments of parallel calls come mixed (QwenLM/Qwen-Agent#943, "
        "mozilla-ai/any-llm#1305).",
        "index_not_from_zero": "The index of a block of content stands for that of the call "
        "(BerriAI/litellm#5231, labring/FastGPT#5811).",
        "repeated_id": "Every fragment has the id (run-llama/llama_index#21693).",
        "empty_id": "vLLM continues with an empty id (vllm-project/vllm#18412).",
        "missing_id": "LMDeploy and vLLM send no id at all (InternLM/lmdeploy#3412, "
        "vllm-project/vllm#18412).",
        "late_id": "Proxies send the id with a later fragment (in no public report).",
        "repeated_name": "MiniMax repeats the name in every fragment "
        "(NousResearch/hermes-agent#11984).",
        "empty_name": "Volcengine and others continue with an empty name "
        "(A3S-Lab/Code#139, microsoft/semantic-kernel#9601).",
        "split_name": "The name comes in two pieces; the format allows it (in no public report).",
        "late_arguments": "Id and name come alone, arguments later "
        "(garudust-org/garudust-agent#16).",
        "null_arguments": "vLLM begins with arguments that are null (ogx-ai/ogx#5462).",
        "object_arguments": "MiniMax and Ollama send arguments as an object, and not as its text "
        "(can1357/oh-my-pi#1779, BerriAI/litellm#37792).",
        "whole_call": "Mistral, Groq, Gemini and Ollama send a whole call at once "
        "(64bit/async-openai#329).",
        "no_arguments": "For a tool that takes none no text of arguments comes, which means {} "
        "(BerriAI/litellm#5063, griptape-ai/griptape#1444).",
        "empty_delta": "An empty piece of arguments comes between (BerriAI/litellm#39288).",
        "cumulative_arguments": "DeepSeek by Qianfan, GLM and MiniMax send all of the arguments so "
        "far in every piece (NousResearch/hermes-agent#35718, vllm-project/vllm#22015).",
        "final_copy": "After the pieces all arguments come once more (lidge-jun/opencodex#361, "
        "elizaOS/eliza#16973).",
        "finish_stop": "Gemini's OpenAI endpoint ends with stop although tools were called "
        "(googleapis/python-genai#2868, BerriAI/litellm#12862).",
        "empty_tool_calls": "Text comes with an empty list of calls (in no public report).",
        "null_function": "Proxies send fragments whose function is null (in no public report).",
        "signed_calls": "Gemini signs its calls in extra_content (open-webui/computer#224, "
        "BerriAI/litellm#25869).",
        "text_around_calls": "There is text before the calls, and behind them "
        "(BerriAI/litellm#2716).",
        "refusal": "A refusal comes in the place of content (BerriAI/litellm#39203, "
        "langchain4j/langchain4j#5813).",
    }
)
"""The quirks by name: what happens, and public threads in which it did."""


@dataclass(frozen=True, slots=True)
class MeantCall:
    """A call that a server means; its *id* is None where the server gives none.

    The text of *arguments* is as it was streamed; where that was an object, it is its JSON.
    """

    id: str | None
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A stream with a quirk, and the answer that it means.

    Attributes:
        name: Which quirk, one of `QUIRKS`.
        chunks: The stream, in the shape of OpenAI's chat chunks.
        calls: The tool calls, in their order.
        content: The text, None if there is none.
        refusal: The same for a refusal.
        finish_reason: What it should be.
    """

    name: str
    chunks: tuple[Json, ...]
    calls: tuple[MeantCall, ...] = ()
    content: str | None = None
    refusal: str | None = None
    finish_reason: str = "tool_calls"

    @property
    def body(self) -> bytes:
        """The bytes of the stream, as server-sent events."""
        data = [*(json.dumps(it, ensure_ascii=False) for it in self.chunks), "[DONE]"]
        return b"".join(encode_event(it) for it in data)


def quirks(
    *, only: str | Collection[str] | None = None, exclude: str | Collection[str] = ()
) -> st.SearchStrategy[Quirk]:
    """Streams of tool calls, each with one quirk of a real provider.

    Examples shrink to one call without arguments, in few pieces; to two where it takes two.

    Args:
        only: The quirks, one or several of `QUIRKS`; all if None.
        exclude: Those that are left out.

    Raises:
        ValueError: There is no such quirk, or none is left.
    """
    gone = chosen("exclude", exclude, QUIRKS) if exclude else ()
    names = [name for name in chosen("only", only, QUIRKS) if name not in gone]
    if not names:
        raise ValueError(f"exclude leaves none of the quirks: {', '.join(gone)}")
    return _quirks(names)


@st.composite
def _quirks(draw: st.DrawFn, names: Sequence[str]) -> Quirk:
    name = draw(st.sampled_from(names))
    told = TELLINGS[name](draw)
    return Quirk(
        name=name,
        chunks=tuple(_chunks(told.deltas, told.finish)),
        calls=tuple(
            MeantCall(None if told.without_ids else call.id, call.name, call.arguments)
            for call in told.calls
        ),
        content=told.content,
        refusal=told.refusal,
        finish_reason="tool_calls" if told.calls else told.finish,
    )


def _chunks(deltas: Sequence[Json], finish: str) -> list[Json]:
    told = [{"role": "assistant", **deltas[0]}, *deltas[1:]]
    return [*(_chunk(delta, None) for delta in told), _chunk({}, finish)]


def _chunk(delta: Json, finish_reason: str | None) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
