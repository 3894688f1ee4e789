"""What stands at the place of an injector where nothing is to break: it loads no fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cassette_stream.cassette.model import Request
    from cassette_stream.faults import Rule, Strike
    from cassette_stream.script import Script

__all__ = ("Unbroken",)


class Unbroken:
    """An injector without rules; see `cassette_stream.faults.Injector`."""

    def __init__(self) -> None:
        self.strikes: list[Strike] = []
        self._asked: dict[object, None] = {}

    @property
    def asked(self) -> tuple[object, ...]:
        return tuple(self._asked)

    def rewrite(
        self,
        script: Script,
        request: Request,  # noqa: ARG002 - as an injector takes it
        key: object,
        on_strike: Callable[[Rule], object],  # noqa: ARG002 - as above
    ) -> Script:
        self._asked[key] = None
        return script

    def rewind(self) -> None:
        pass

    def follow_up(self, request: Request) -> Script | None:  # noqa: ARG002 - as above
        return None

    def unfired(self, script_of: Callable[[object], Script]) -> list[str]:  # noqa: ARG002 - as above
        return []
