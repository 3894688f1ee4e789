"""The wire formats of the providers, one module each."""

from cassette_stream.dialects import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    gemini,
    ollama,
    openai_chat,
    openai_responses,
)

__all__ = (
    "anthropic",
    "bedrock_converse",
    "bedrock_invoke",
    "cohere",
    "gemini",
    "ollama",
    "openai_chat",
    "openai_responses",
)
