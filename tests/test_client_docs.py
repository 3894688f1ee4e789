"""docs/client.md names every provider, with the variables that are read for it."""

from __future__ import annotations

import re

from support import PROJECT

from cassette_stream.client.provider_table import PROVIDERS

ROW = re.compile(r"^\| `(\w+)/` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_the_table_of_providers_is_that_of_the_client() -> None:
    page = (PROJECT / "docs" / "client.md").read_text("utf-8")
    told = {
        name: tuple(tuple(re.findall(r"`(\w+)`", cell)) for cell in cells)
        for name, *cells in ROW.findall(page)
    }

    assert told == {name: (row.keys + row.tokens, row.bases) for name, row in PROVIDERS.items()}
