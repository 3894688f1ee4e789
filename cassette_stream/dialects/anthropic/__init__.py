"""Anthropic messages: requests, decoder, encoder."""

from cassette_stream.dialects.anthropic.decoder import Decoder, whole_body
from cassette_stream.dialects.anthropic.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "whole_body",
)
