"""What every dialect decodes into and encodes from."""

from cassette_stream.chunks.accumulate import ResponseAccumulator, stream_chunk_builder
from cassette_stream.chunks.completion import (
    ChatCompletionMessageToolCall,
    Choices,
    Message,
    ModelResponse,
)
from cassette_stream.chunks.finish_reasons import FAILURES, normal_finish_reason
from cassette_stream.chunks.normal_form import NormalForm
from cassette_stream.chunks.parts import (
    Audio,
    ChatCompletionTokenLogprob,
    ChoiceLogprobs,
    Custom,
    Function,
    FunctionCall,
    RedactedThinking,
    Thinking,
    ThinkingBlock,
    TopLogprob,
)
from cassette_stream.chunks.reading import (
    arguments_text,
    read_chunk,
    read_response,
    read_tool_call,
)
from cassette_stream.chunks.stream import (
    NO_INDEX,
    ChatCompletionDeltaToolCall,
    Delta,
    ModelResponseStream,
    StreamingChoices,
)
from cassette_stream.chunks.tool_calls import ToolCallAccumulator
from cassette_stream.chunks.usage import CompletionTokensDetails, PromptTokensDetails, Usage

__all__ = (
    "FAILURES",
    "NO_INDEX",
    "Audio",
    "ChatCompletionDeltaToolCall",
    "ChatCompletionMessageToolCall",
    "ChatCompletionTokenLogprob",
    "ChoiceLogprobs",
    "Choices",
    "CompletionTokensDetails",
    "Custom",
    "Delta",
    "Function",
    "FunctionCall",
    "Message",
    "ModelResponse",
    "ModelResponseStream",
    "NormalForm",
    "PromptTokensDetails",
    "RedactedThinking",
    "ResponseAccumulator",
    "StreamingChoices",
    "Thinking",
    "ThinkingBlock",
    "ToolCallAccumulator",
    "TopLogprob",
    "Usage",
    "arguments_text",
    "normal_finish_reason",
    "read_chunk",
    "read_response",
    "read_tool_call",
    "stream_chunk_builder",
)
