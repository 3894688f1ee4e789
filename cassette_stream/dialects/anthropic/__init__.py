"""Anthropic messages: requests, decoder, encoder."""

from cassette_stream.dialects.anthropic.decoder import Decoder
from cassette_stream.dialects.anthropic.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)
from cassette_stream.dialects.anthropic.requests import request
from cassette_stream.dialects.anthropic.whole import whole_body

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "request",
    "whole_body",
)
