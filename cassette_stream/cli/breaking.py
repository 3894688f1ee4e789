"""The commands that break streams, and their options: `faults` and `chaos`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cassette_stream.cli.errors import one_line_errors

__all__ = ("chaos", "faults")


class Layer(StrEnum):
    """The layers, as `cassette_stream.faults.info.LAYERS` has them."""

    CONNECT = "connect"
    HEAD = "head"
    BODY = "body"
    SSE = "sse"
    JSON = "json"
    SEM = "sem"
    END = "end"


class Positions(StrEnum):
    """Where faults strike, as `cassette_stream.chaos.sweep` has it."""

    SAMPLED = "sampled"
    EVERY_EVENT = "every-event"
    EVERY_BYTE = "every-byte"


class Backend(StrEnum):
    """The event loops."""

    ASYNCIO = "asyncio"
    TRIO = "trio"


def faults(
    id_: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="All about one fault.", show_default=False),
    ] = None,
    *,
    layer: Annotated[
        Layer | None, typer.Option(help="Those of one layer.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same as JSON.")] = False,
) -> None:
    """List the ways in which streams break, or tell all about one of them."""
    from cassette_stream.cli import faults as body  # noqa: PLC0415 - as in app.py

    if id_ is not None and layer is not None:
        raise typer.BadParameter("ID and --layer choose twice; give one of them")
    with one_line_errors():
        body.run(id_, layer=layer, as_json=as_json)


def chaos(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:FUNCTION",
            help="The code under test: makes the requests of the cassette, takes no arguments.",
            show_default=False,
        ),
    ],
    *,
    cassette: Annotated[
        Path, typer.Option(metavar="FILE", help="The recording.", show_default=False)
    ],
    faults: Annotated[
        list[str] | None,
        typer.Option(
            metavar="common|all|ID|LAYER.*",
            help="What to try; commas, or several times. common, if nothing else is given.",
            show_default=False,
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Try exactly this, as in body.fin@event=6; several are one trial each.",
            show_default=False,
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Try the whole plan in this YAML, once.", show_default=False
        ),
    ] = None,
    positions: Annotated[
        Positions, typer.Option(help="Where in the stream each fault strikes.")
    ] = Positions.SAMPLED,
    seed: Annotated[int, typer.Option(metavar="N", help="What samples are drawn by.")] = 0,
    raises: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:CLASS",
            help="An exception that your users are told of, instead of those that are looked up.",
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Part of a request that may differ.", show_default=False),
    ] = None,
    match_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What of a request has to match: method, url, body, ...",
            show_default=False,
        ),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.001,
            help="A stream that goes on for longer, in virtual time, is a hang.",
        ),
    ] = 1800,
    backend: Annotated[
        Backend, typer.Option(help="The event loop of asynchronous code.")
    ] = Backend.ASYNCIO,
    workers: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Processes that run trials; 0 runs them in this."),
    ] = 0,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Results as they come, as JSON lines; what is there is not run again.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE|-", help="The report as JSON; - prints it.", show_default=False
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The report as one page.", show_default=False),
    ] = None,
    shrink: Annotated[
        bool, typer.Option("--shrink", help="Make the first failure of each kind minimal.")
    ] = False,
) -> None:
    """Break a recording in many ways, and tell what your code makes of each.

    Nothing leaves this machine, and no time is waited: timeouts and sleeps pass at once.
    The current folder is on the path. What the code prints is not shown.
    Exit code 1: something is silent, hangs or leaks.
    """
    from cassette_stream.cli import chaos as body  # noqa: PLC0415 - as in app.py

    if plan is not None and (faults or fault):
        raise typer.BadParameter("--plan is the whole of what is tried; leave the others out")
    with one_line_errors():
        code = body.run(
            body.Wanted(
                subject=subject,
                cassette=cassette,
                faults=tuple(faults or ()),
                specs=tuple(fault or ()),
                plan=plan,
                positions=positions.value,
                seed=seed,
                raises=tuple(raises or ()),
                ignore=tuple(ignore or ()),
                match_on=tuple(match_on or ()),
                patience=patience,
                backend=backend.value,
            ),
            workers=workers,
            results=results,
            json_to=json_,
            html_to=html,
            shrink=shrink,
        )
    raise typer.Exit(code)
