"""Asks a model, and knows a whole answer from a broken one."""

from parley.answer import Answer, BrokenError, ParleyError, RefusedError
from parley.client import AsyncClient, Client
from parley.events import Decoder, Event

__all__ = (
    "Answer",
    "AsyncClient",
    "BrokenError",
    "Client",
    "Decoder",
    "Event",
    "ParleyError",
    "RefusedError",
)
