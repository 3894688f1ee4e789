"""The streaming client: `completion`, `acompletion`, and where they send what."""

from cassette_stream.client.completion import acompletion, completion
from cassette_stream.client.providers import Endpoint, register_provider, resolve
from cassette_stream.client.stream import CustomStreamWrapper

__all__ = (
    "CustomStreamWrapper",
    "Endpoint",
    "acompletion",
    "completion",
    "register_provider",
    "resolve",
)
