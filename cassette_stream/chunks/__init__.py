"""What every dialect decodes into and encodes from."""

from cassette_stream.chunks.completion import (
    ChatCompletionMessageToolCall,
    Choices,
    CompletionTokensDetails,
    Function,
    Message,
    ModelResponse,
    PromptTokensDetails,
    RedactedThinking,
    Thinking,
    ThinkingBlock,
    Usage,
)

__all__ = (
    "ChatCompletionMessageToolCall",
    "Choices",
    "CompletionTokensDetails",
    "Function",
    "Message",
    "ModelResponse",
    "PromptTokensDetails",
    "RedactedThinking",
    "Thinking",
    "ThinkingBlock",
    "Usage",
)
