"""OpenAI Responses, both ways."""

from cassette_stream.dialects.openai_responses.decoder import Decoder, whole_body
from cassette_stream.dialects.openai_responses.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)
from cassette_stream.dialects.openai_responses.requests import request

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "request",
    "whole_body",
)
