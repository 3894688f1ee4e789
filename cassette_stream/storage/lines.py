"""Files of lines that only grow: one write a line, so that an interruption costs one at most."""

from __future__ import annotations

import os
from pathlib import Path

from cassette_stream.exceptions import CassetteWriteError

__all__ = ("Lines",)


class Lines:
    """The lines of the file at *path*; a last one that was cut is taken away.

    Attributes:
        found: The lines that were there, without their ends.

    Raises:
        CassetteWriteError: The file cannot be read, or not be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a+b", buffering=0)
            self._file.seek(0)
            data = self._file.read()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                self._file.truncate(whole)
        except OSError as error:
            raise self._failed(error) from error
        self.found = data[:whole].split(b"\n")[:-1]

    def add(self, line: bytes) -> None:
        """Write *line*, which has no line end in it.

        Raises:
            CassetteWriteError: It could not be written.
        """
        try:
            self._file.write(line + b"\n")
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        self._file.close()

    def _failed(self, error: OSError) -> CassetteWriteError:
        return CassetteWriteError(f"{str(self._path)!r} cannot be written: {error.strerror}")
