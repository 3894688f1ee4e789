"""Record, replay and break LLM streams.

This is the front door: importing it costs next to nothing, and each name loads what it
needs when it is first used (PEP 562).
"""

from __future__ import annotations

from cassette_stream._version import __version__

TYPE_CHECKING = False  # as type checkers see it; `typing` alone would cost most of the import
if TYPE_CHECKING:
    from cassette_stream import chaos, dialects, exceptions, faults, wire
    from cassette_stream.cassette import (
        Cassette,
        Ending,
        How,
        Interaction,
        Request,
        Response,
    )
    from cassette_stream.cassette.redact import Redactor
    from cassette_stream.chunks import (
        ChatCompletionDeltaToolCall,
        ChatCompletionMessageToolCall,
        Choices,
        CompletionTokensDetails,
        Custom,
        Delta,
        Function,
        FunctionCall,
        Message,
        ModelResponse,
        ModelResponseStream,
        NormalForm,
        PromptTokensDetails,
        RedactedThinking,
        ResponseAccumulator,
        StreamingChoices,
        Thinking,
        ToolCallAccumulator,
        Usage,
        stream_chunk_builder,
    )
    from cassette_stream.client import (
        CustomStreamWrapper,
        acompletion,
        completion,
        register_provider,
    )
    from cassette_stream.clock import (
        VirtualClock,
        arun_virtually,
        run_virtually,
        virtual_time,
    )
    from cassette_stream.replayer import script_of
    from cassette_stream.script import Emit, Fail, FailureKind, Head, Wait
    from cassette_stream.server import LoopbackServer
    from cassette_stream.session import Session, use_cassette
    from cassette_stream.session.files import read_cassette, write_cassette
    from cassette_stream.session.network import block_network
    from cassette_stream.storage import CassetteNames, cassette_name

__all__ = (
    "Cassette",
    "CassetteNames",
    "ChatCompletionDeltaToolCall",
    "ChatCompletionMessageToolCall",
    "Choices",
    "CompletionTokensDetails",
    "Custom",
    "CustomStreamWrapper",
    "Delta",
    "Emit",
    "Ending",
    "Fail",
    "FailureKind",
    "Function",
    "FunctionCall",
    "Head",
    "How",
    "Interaction",
    "LoopbackServer",
    "Message",
    "ModelResponse",
    "ModelResponseStream",
    "NormalForm",
    "PromptTokensDetails",
    "RedactedThinking",
    "Redactor",
    "Request",
    "Response",
    "ResponseAccumulator",
    "Session",
    "StreamingChoices",
    "Thinking",
    "ToolCallAccumulator",
    "Usage",
    "VirtualClock",
    "Wait",
    "__version__",
    "acompletion",
    "arun_virtually",
    "block_network",
    "cassette_name",
    "chaos",
    "completion",
    "dialects",
    "exceptions",
    "faults",
    "read_cassette",
    "register_provider",
    "run_virtually",
    "script_of",
    "stream_chunk_builder",
    "use_cassette",
    "virtual_time",
    "wire",
    "write_cassette",
)

_HOMES = {
    "Cassette": "cassette",
    "CassetteNames": "storage.names",
    "ChatCompletionDeltaToolCall": "chunks",
    "ChatCompletionMessageToolCall": "chunks",
    "Choices": "chunks",
    "CompletionTokensDetails": "chunks",
    "Custom": "chunks",
    "CustomStreamWrapper": "client",
    "Delta": "chunks",
    "Emit": "script",
    "Ending": "cassette",
    "Fail": "script",
    "FailureKind": "script",
    "Function": "chunks",
    "FunctionCall": "chunks",
    "Head": "script",
    "How": "cassette",
    "Interaction": "cassette",
    "LoopbackServer": "server",
    "Message": "chunks",
    "ModelResponse": "chunks",
    "ModelResponseStream": "chunks",
    "NormalForm": "chunks",
    "PromptTokensDetails": "chunks",
    "RedactedThinking": "chunks",
    "Redactor": "cassette.redact",
    "Request": "cassette",
    "Response": "cassette",
    "ResponseAccumulator": "chunks",
    "Session": "session",
    "StreamingChoices": "chunks",
    "Thinking": "chunks",
    "ToolCallAccumulator": "chunks",
    "Usage": "chunks",
    "VirtualClock": "clock",
    "Wait": "script",
    "acompletion": "client",
    "arun_virtually": "clock",
    "block_network": "session.network",
    "cassette_name": "storage.names",
    "completion": "client",
    "read_cassette": "session.files",
    "register_provider": "client",
    "run_virtually": "clock",
    "script_of": "replayer",
    "stream_chunk_builder": "chunks",
    "use_cassette": "session",
    "virtual_time": "clock",
    "write_cassette": "session.files",
}
_ROOMS = ("chaos", "dialects", "exceptions", "faults", "wire")


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415 - as above

    if name in _ROOMS:
        return importlib.import_module(f"cassette_stream.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'cassette_stream' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"cassette_stream.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
