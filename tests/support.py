"""What several test modules share: the corpus and the switch for larger counts."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SOAK = bool(os.environ.get("CASSETTE_STREAM_SOAK"))
CORPUS = Path(os.environ.get("CASSETTE_STREAM_CORPUS") or PROJECT.parent / "shared")
