"""Cohere chat, version 2: requests, decoder, encoder."""

from cassette_stream.dialects.cohere.decoder import Decoder
from cassette_stream.dialects.cohere.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)
from cassette_stream.dialects.cohere.requests import request
from cassette_stream.dialects.cohere.whole import whole_body

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "request",
    "whole_body",
)
