"""The loopback server: scripts, cassettes and model endpoints on a real socket."""

from cassette_stream.server.answers import gzipped, streamed, whole
from cassette_stream.server.connection import Exchange
from cassette_stream.server.embedded import Ask, Tool, complete
from cassette_stream.server.endpoints import ENDPOINTS
from cassette_stream.server.loopback import LoopbackServer
from cassette_stream.server.routes import Pace, Where

__all__ = (
    "ENDPOINTS",
    "Ask",
    "Exchange",
    "LoopbackServer",
    "Pace",
    "Tool",
    "Where",
    "complete",
    "gzipped",
    "streamed",
    "whole",
)
