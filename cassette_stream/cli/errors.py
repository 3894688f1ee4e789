"""What goes wrong for a reason that the user can see: one line, and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from cassette_stream.exceptions import CassetteError, PlanError, SweepError

__all__ = ("one_line_errors",)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Tell such an error on standard error, and leave with 2; let through what is a bug."""
    try:
        yield
    except (CassetteError, PlanError, SweepError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
