"""Ways to run code that reads a stream, to see what it leaves behind.

These are probes: they break nothing, so there is nothing to perform. A sweep runs the
subject as told here, on the faithful recording, and looks at what is left when it is done:
connections that are still open, slots of a pool that are still taken, tasks that still run,
time that went by. A correct client gives all of it back, whatever was done to it.
"""

from __future__ import annotations

from cassette_stream.faults.info import FaultInfo

__all__ = ("FAULTS",)

FAULTS = tuple(
    FaultInfo(
        id=f"end.{what}",
        name=name,
        kind="probe",
        expect="tolerates",
        transport=transport,
        description=description,
        reference=reference,
    )
    for what, name, transport, description, reference in (
        (
            "close_evicts",
            "close evicts the connection",
            "nothing: the next request opens a new connection",
            (
                "The end of the body is looked for behind the event that says that nothing more "
                "comes: a connection that is closed before it cannot go back to the pool, and the "
                "next request has to open another."
            ),
            "openai/openai-python#3440",
        ),
        (
            "close_hangs",
            "close waits for the end of the body",
            "ReadTimeout, if the drain has a limit at all",
            (
                "After the event that says that nothing more comes the connection stays open and "
                "silent for ever: the subject must return all the same, and soon."
            ),
            "openai/openai-python#3566",
        ),
        (
            "cancel_leak",
            "cancellation leaks a connection",
            "PoolTimeout, in a later request",
            (
                "The subject runs in a task that is cancelled, early, half way and late, each time "
                "once and again while it cleans up: the connection must be closed, none of its "
                "tasks may go on, and the next run must be as the clean one."
            ),
            "encode/httpx#3782",
        ),
        (
            "abandoned",
            "abandoned stream",
            "PoolTimeout, in a later request",
            (
                "What the subject returns or yields is dropped after its first event, without "
                "being closed: the connection must be closed with it, and nothing may warn of it."
            ),
            "openai/openai-python#763",
        ),
        (
            "cross_loop",
            "one client in two event loops",
            "nothing for ever, or RuntimeError: the connections belong to another loop",
            (
                "The subject runs in one event loop, and again in another one when the first is "
                "closed: the second run must give the same result, and must not wait for the first."
            ),
            "measured",
        ),
    )
)
