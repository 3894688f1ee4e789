"""OpenAI chat completions, and whoever speaks them: requests, decoder, encoder."""

from cassette_stream.dialects.openai_chat.decoder import Decoder
from cassette_stream.dialects.openai_chat.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)
from cassette_stream.dialects.openai_chat.requests import (
    for_deepseek,
    for_fireworks,
    for_groq,
    for_mistral,
    for_openrouter,
    request,
    without_stream_options,
)
from cassette_stream.dialects.openai_chat.whole import whole_body

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "for_deepseek",
    "for_fireworks",
    "for_groq",
    "for_mistral",
    "for_openrouter",
    "request",
    "whole_body",
    "without_stream_options",
)
