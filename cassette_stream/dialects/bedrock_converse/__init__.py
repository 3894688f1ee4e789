"""Bedrock Converse: requests, decoder, encoder."""

from cassette_stream.dialects.bedrock_converse.decoder import Decoder
from cassette_stream.dialects.bedrock_converse.encoder import (
    encode,
    encode_body,
    encode_error,
    encode_error_body,
)
from cassette_stream.dialects.bedrock_converse.requests import request
from cassette_stream.dialects.bedrock_converse.whole import whole_body

__all__ = (
    "Decoder",
    "encode",
    "encode_body",
    "encode_error",
    "encode_error_body",
    "request",
    "whole_body",
)
