"""The wire formats of the providers, one module each."""

from cassette_stream.dialects import anthropic, gemini, openai_chat, openai_responses

__all__ = ("anthropic", "gemini", "openai_chat", "openai_responses")
