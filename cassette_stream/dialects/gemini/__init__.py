"""Gemini generateContent: requests, decoder, encoder."""

from cassette_stream.dialects.gemini.decoder import Decoder, whole_body
from cassette_stream.dialects.gemini.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)
from cassette_stream.dialects.gemini.requests import request

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "request",
    "whole_body",
)
