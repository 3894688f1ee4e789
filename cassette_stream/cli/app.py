"""The commands and their options.

A command imports what it needs when it runs, so ``--help`` and completion are quick.
What goes wrong for a reason that the user can see is one line on standard error and
exit code 2; anything else is a bug, and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cassette_stream._version import __version__
from cassette_stream.cli import breaking
from cassette_stream.cli.errors import one_line_errors

__all__ = ("app", "main")


app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command that the arguments of this process name."""
    app(prog_name="cassette-stream")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cassette-stream {__version__}")
        raise typer.Exit


@app.callback(epilog="Start with [bold]cassette-stream demo[/bold]: no network, no key.")
def _cassette_stream(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say which it is."),
    ] = False,
) -> None:
    """Record, replay and break LLM streams."""


_File = Annotated[Path, typer.Argument(metavar="FILE", help="A cassette.", show_default=False)]


@app.command()
def demo(
    *,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the three cassettes there.", show_default=False),
    ] = None,
) -> None:
    """Record three providers, replay them offline, and break the replays.

    The providers are a server in this process that speaks as they do. It needs no network
    and no key. Everything that is shown was measured in the run that shows it.
    """
    from cassette_stream.cli import demo as body  # noqa: PLC0415 - see above

    with one_line_errors():
        good = body.run(keep)
    raise typer.Exit(0 if good else 1)


@app.command()
def inspect(
    file: _File,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document with the same figures.")
    ] = False,
) -> None:
    """Show what a cassette holds: interactions, endings, events, times, sizes."""
    from cassette_stream.cli import inspect as body  # noqa: PLC0415

    with one_line_errors():
        body.run(file, as_json=as_json)


def _pace(text: str) -> str | float:
    if text in {"instant", "recorded"}:
        return text
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise typer.BadParameter(
            f"there is no pace {text!r}: instant, recorded, or how many times as fast, as in 10"
        )
    return factor


@app.command(
    epilog="As in: [bold]cassette-stream play chat.yaml --pace 10 --fault body.fin@event=6[/bold]"
)
def play(
    file: _File,
    *,
    interaction: Annotated[
        int, typer.Option("--interaction", "-n", metavar="N", help="Which one, counted from 1.")
    ] = 1,
    pace: Annotated[
        str,
        typer.Option(
            metavar="instant|recorded|FACTOR",
            callback=_pace,
            help="How fast: 10 is ten times as fast as it was recorded.",
        ),
    ] = "recorded",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Break the stream, as in body.fin@event=6; several apply in turn.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a recorded response to the terminal as it came.

    The bytes of the body go to standard output as they are, all else to standard error.
    Exit code 1: the recording, or the fault, ends in a failure.
    """
    from cassette_stream.cli import play as body  # noqa: PLC0415

    with one_line_errors():
        went_well = body.run(file, number=interaction, pace=pace, specs=fault or ())
    raise typer.Exit(0 if went_well else 1)


@app.command()
def lint(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Cassettes, and folders of them.", show_default=False),
    ],
    *,
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend frames that no longer fit an edited body.")
    ] = False,
) -> None:
    """Check cassettes: each problem is a line file:line:column: message.

    In a folder, the *.yaml and *.yml files that begin as cassettes do are checked.
    Exit code 1: there is a problem.
    """
    from cassette_stream.cli import lint as body  # noqa: PLC0415

    with one_line_errors():
        problems = body.run(paths, fix=fix)
    raise typer.Exit(1 if problems else 0)


@app.command(
    epilog="A key that was in a file that others have is known to them: withdraw it as well."
)
def redact(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Cassettes, and folders of them.", show_default=False),
    ],
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only tell what would be replaced; write nothing.")
    ] = False,
) -> None:
    """Replace the secrets in cassettes: each is a line file:line:column: kind, place.

    What is a secret is what recording takes for one, and what a variable of the environment
    holds whose name says so. Files and interactions without one keep their bytes; one with
    a secret loses the comments within it.
    Exit code 1: something is left to do.
    """
    from cassette_stream.cli import redact as body  # noqa: PLC0415

    with one_line_errors():
        left = body.run(paths, check=check)
    raise typer.Exit(1 if left else 0)


@app.command()
def recover(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A cassette, a journal beside one, or a folder of them.",
            show_default=False,
        ),
    ],
    *,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace what the recorder that died would have replaced."),
    ] = False,
) -> None:
    """Make cassettes of what recorders left that died.

    Without --force what is there stays: what would have replaced it goes to
    NAME.recovered.yaml.
    Exit code 1: a journal is damaged, or its process still records.
    """
    from cassette_stream.cli import recover as body  # noqa: PLC0415

    with one_line_errors():
        is_all = body.run(path, force=force)
    raise typer.Exit(0 if is_all else 1)


@app.command(
    epilog='As in: [bold]cassette-stream chat gpt-4o-mini "Count from 1 to 5"[/bold], '
    "which needs no network and no key."
)
def chat(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="As completion takes it.", show_default=False),
    ],
    prompt: Annotated[
        str,
        typer.Argument(metavar="PROMPT", help="A text; - is standard input.", show_default=False),
    ],
    *,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask the provider itself; its variables hold the key."),
    ] = False,
    api_base: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Ask what is there instead.", show_default=False),
    ] = None,
    system: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Say this before the prompt.", show_default=False),
    ] = None,
    tools: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A JSON list of tools, in the shape of chat completions.",
            show_default=False,
        ),
    ] = None,
    reasoning: Annotated[
        str | None,
        typer.Option(
            metavar="EFFORT",
            help="Ask for reasoning, as in low, medium or high.",
            show_default=False,
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Let it say no more.", show_default=False),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="How long it may be silent."),
    ] = 600,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A cassette that will hold this run.", show_default=False
        ),
    ] = None,
) -> None:
    """Ask a model, and show its answer as it comes.

    A server in this process answers, unless --live or --api-base says who else. The text goes
    to standard output, all else to standard error.
    Exit code 1: the stream failed; 130: you stopped it.
    """
    from cassette_stream.cli import chat as body  # noqa: PLC0415

    if live and api_base is not None:
        raise typer.BadParameter("--live and --api-base name two places; give one of them")
    with one_line_errors():
        code = body.run(
            model,
            prompt,
            live=live,
            api_base=api_base,
            system=system,
            tools=tools,
            record=record,
            reasoning_effort=reasoning,
            max_tokens=max_tokens,
            timeout=timeout,
        )
    raise typer.Exit(code)


app.command(epilog="As in: [bold]cassette-stream faults body.clean_end[/bold]")(breaking.faults)
app.command(
    epilog="As in: [bold]cassette-stream chaos mychat:answer --cassette chat.yaml "
    "--html chaos.html[/bold]"
)(breaking.chaos)
