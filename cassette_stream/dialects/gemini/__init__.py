"""Gemini generateContent: requests, decoder, encoder."""

from cassette_stream.dialects.gemini.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)

__all__ = ("encode", "encode_body", "encode_error", "encode_error_body")
