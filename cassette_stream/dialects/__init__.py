"""The wire formats of the providers, one module each.

What another one is written with: `call` (what is asked, and the request that asks it), `messages`
(looks at what the caller gave), `decoding` (events to chunks), `lines` (events of NDJSON),
`encoding` (texts to deltas) and `errors` (what a provider refuses).
"""

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
