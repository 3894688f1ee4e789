"""docs/decoders.md is what the laws find in today's decoders, and holds what is known of them."""

from __future__ import annotations

import importlib.util
import re
import sys
from importlib.metadata import version
from types import ModuleType

import pytest
from support import PROJECT

PAGE = (PROJECT / "docs" / "decoders.md").read_text("utf-8")


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_decoders", PROJECT / "docs/decoders.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_decoders"] = module
    spec.loader.exec_module(module)
    return module


DOCS = script()
BEGUN = re.compile(r"^(?=## )", re.MULTILINE)
TOLD = {text.splitlines()[0].removeprefix("## "): text for text in BEGUN.split(PAGE)[1:]}


@pytest.mark.matrix(5)
@pytest.mark.parametrize("decoder", DOCS.DECODERS, ids=lambda decoder: decoder.name)
def test_the_page_is_what_the_script_makes(decoder: object) -> None:
    package = decoder.package  # type: ignore[attr-defined]  # of a script, which has no types
    name = decoder.name  # type: ignore[attr-defined]
    if not DOCS.is_there(package):
        pytest.skip(f"{package} is not installed here, and the page tells of it")
    title = f"{name} {version(package)}"
    if title not in TOLD:
        pytest.skip(f"the page tells of another version: make it again for {title}")

    assert DOCS.section(decoder).strip() == TOLD[title].strip()


def test_all_else_on_the_page_is_what_the_script_writes() -> None:
    *sections, rules = list(TOLD.values())

    assert DOCS.page(text.strip() + "\n" for text in sections).strip() == PAGE.strip()
    assert rules.startswith("## What streams need")
    assert len(sections) == len(DOCS.DECODERS)


NO_DATA = ("event_alone", "id_alone", "retry_alone")
KNOWN = {
    "openai `SSEDecoder`": ("bom", "invalid_utf8", "blank_lines", *NO_DATA),
    "anthropic `SSEDecoder`": ("bom", "invalid_utf8", "blank_lines", "cuts", *NO_DATA),
    "httpx2 `EventSource`": ("bom", "no_final_blank", *NO_DATA),
    "httpx-sse `EventSource`": ("bom", "blank_lines", *NO_DATA),
    "openai `Stream`": ("bom",),
    "anthropic `Stream`": ("event_missing",),
}


@pytest.mark.parametrize(("name", "needs"), KNOWN.items(), ids=KNOWN)
def test_the_page_tells_what_is_known(name: str, needs: tuple[str, ...]) -> None:
    (text,) = [text for title, text in TOLD.items() if title.startswith(name)]

    assert [it for it in needs if f"`{it}`" not in text] == []


def test_ours_are_found_to_be_strict_about_utf8_and_nothing_else() -> None:
    ours = [text for title, text in TOLD.items() if title.startswith("**ours**")]

    assert [text.count("\n| `") for text in ours] == [1, 0, 0, 0]
    assert "`invalid_utf8`" in ours[0]
