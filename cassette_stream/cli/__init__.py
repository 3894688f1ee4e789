"""The command `cassette-stream`. Nothing else imports typer or rich."""

from cassette_stream.cli.app import app, main

__all__ = ("app", "main")
