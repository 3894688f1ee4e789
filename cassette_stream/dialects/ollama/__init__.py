"""Ollama's chat: requests, decoder, encoder."""

from cassette_stream.dialects.ollama.decoder import Decoder, whole_body
from cassette_stream.dialects.ollama.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)
from cassette_stream.dialects.ollama.requests import request

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "request",
    "whole_body",
)
