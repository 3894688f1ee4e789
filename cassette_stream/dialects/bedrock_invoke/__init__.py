"""Bedrock InvokeModel with Anthropic's models: requests, decoder, encoder."""

from cassette_stream.dialects.bedrock_invoke.decoder import Decoder
from cassette_stream.dialects.bedrock_invoke.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)
from cassette_stream.dialects.bedrock_invoke.requests import request
from cassette_stream.dialects.bedrock_invoke.whole import whole_body

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "request",
    "whole_body",
)
