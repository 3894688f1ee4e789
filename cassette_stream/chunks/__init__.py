"""What every dialect decodes into and encodes from."""

from cassette_stream.chunks.completion import (
    ChatCompletionMessageToolCall,
    Choices,
    Message,
    ModelResponse,
)
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
from cassette_stream.chunks.stream import (
    NO_INDEX,
    ChatCompletionDeltaToolCall,
    Delta,
    ModelResponseStream,
    StreamingChoices,
)
from cassette_stream.chunks.usage import CompletionTokensDetails, PromptTokensDetails, Usage

__all__ = (
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
    "PromptTokensDetails",
    "RedactedThinking",
    "StreamingChoices",
    "Thinking",
    "ThinkingBlock",
    "TopLogprob",
    "Usage",
)
